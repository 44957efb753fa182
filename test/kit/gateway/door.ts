/** `shared` is the express door with one read buffer for all. */
const DOORS = ['express', 'front', 'shared'] as const;
export type Door = (typeof DOORS)[number];

/** By which door the suite goes: the environment variable `DOOR`, see `vitest.config.ts`. */
export const DOOR: Door = DOORS.find((door) => door === process.env.DOOR) ?? 'express';

/** Clients come encrypted. */
export const OVER_TLS = process.env.LISTENER === 'tls';
