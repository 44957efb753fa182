/** By which door the suite goes: the environment variable `DOOR`, see `vitest.config.ts`. */
export type Door = 'express' | 'front';

export const DOOR: Door = process.env.DOOR === 'front' ? 'front' : 'express';

/** Clients come encrypted. */
export const OVER_TLS = process.env.LISTENER === 'tls';
