import { type TSchema, Type } from 'typebox';
import { LONGEST_TIMER_MS } from '../time/timer.ts';

/**
 * How a value may be written besides its resolved form; `shorthand.ts` turns the one into the other.
 *
 * - `duration`: `250ms`, `30s`, `5m`, `1h` for milliseconds. `size`: `64KiB`, `1MiB` for bytes.
 * - `address`: `HOST:PORT` for `{ host, port }`. `broker`: a URL for `{ url }`. `strategy`: a name for `{ type }`.
 * - `tiers`: a map of tiers to services for a list of `{ tier, service }`.
 * - `file`: a path, relative to the file that names it. `znode`: a ZooKeeper path, the leading slash optional.
 * - `secret`: text that is never shown. `workers`: `auto` for as many as there are cores.
 */
export type Shorthand =
  | 'duration'
  | 'size'
  | 'address'
  | 'broker'
  | 'strategy'
  | 'tiers'
  | 'file'
  | 'znode'
  | 'secret'
  | 'workers';

/** What the schema's own keywords say to people and to the loader, besides JSON Schema's. */
export interface Notes {
  readonly shorthand?: Shorthand;
  /** Completes "expected ...". */
  readonly expected?: string;
}

const CLOSED = { additionalProperties: false } as const;

const DURATION = 'a duration such as 250ms, 30s, 5m or 1h, or a number of milliseconds';
const SIZE = 'a size such as 64KiB or 1MiB, or a number of bytes';

/** A key without a default may be absent. */
const withDefault = (fallback: number | undefined) => (fallback === undefined ? {} : { default: fallback });

/** A section: unknown keys are errors. */
export const section = <const P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, { ...CLOSED, ...notes });

/** Milliseconds. */
export const duration = (fallback: number, minimum = 1) =>
  Type.Integer({
    default: fallback,
    minimum,
    maximum: LONGEST_TIMER_MS,
    shorthand: 'duration',
    expected: DURATION,
  });

/** Milliseconds, of which 0 has a meaning of its own. */
export const durationOrZero = (fallback: number | undefined, zero: string) =>
  Type.Integer({
    ...withDefault(fallback),
    minimum: 0,
    maximum: LONGEST_TIMER_MS,
    shorthand: 'duration',
    expected: `${DURATION}; 0 ${zero}`,
  });

/** Bytes. */
export const size = (fallback: number | undefined, minimum: number, maximum: number) =>
  Type.Integer({ ...withDefault(fallback), minimum, maximum, shorthand: 'size', expected: SIZE });

export const count = (fallback: number | undefined, minimum: number, expected: string) =>
  Type.Integer({ ...withDefault(fallback), minimum, maximum: 1_000_000, expected });

/** Processes that serve. */
export const workers = () =>
  Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 256,
    shorthand: 'workers',
    expected: 'a whole number from 1 to 256, or auto',
  });

/** A part of a whole, from 0 to 1. */
export const share = (fallback: number) =>
  Type.Number({ default: fallback, minimum: 0, maximum: 1, expected: 'a number from 0 to 1' });

export const flag = (fallback: boolean) => Type.Boolean({ default: fallback, expected: 'true or false' });

/** `true` or `false`, or nothing said. */
export const optionalFlag = () => Type.Optional(Type.Boolean({ expected: 'true or false' }));

/** A priority of queries, or nothing said. */
export const optionalInteger = () =>
  Type.Optional(Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1, expected: 'a whole number' }));

export const choice = <const V extends string>(values: V[], fallback: NoInfer<V>) =>
  Type.Enum(values, { default: fallback, expected: oneOf(values) });

export const choices = <const V extends string>(values: V[], fallback: NoInfer<V>[]) =>
  Type.Array(Type.Enum(values, { expected: oneOf(values) }), {
    default: fallback,
    uniqueItems: true,
    expected: `a list of ${values.join(', ')}`,
  });

export const text = (expected: string, fallback?: string) =>
  Type.String({ minLength: 1, expected, ...(fallback === undefined ? {} : { default: fallback }) });

/** Text that `formats.ts` checks. */
export const formatted = (format: string, expected: string, fallback?: string) =>
  Type.String({ format, expected, ...(fallback === undefined ? {} : { default: fallback }) });

export const listOf = <T extends TSchema>(items: T, expected: string, notes: Notes = {}) =>
  Type.Array(items, { default: [], expected, ...notes });

/** Path of a file. */
export const file = (what: string) =>
  Type.String({ minLength: 1, shorthand: 'file', expected: `the path of ${what}` });

/** Absolute path of a znode, without a slash at its end. */
export const znode = (expected: string, fallback?: string) =>
  Type.String({
    format: 'znode',
    shorthand: 'znode',
    expected,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

/** Text that no message, log or status shows. */
export const secret = (expected: string) => Type.String({ minLength: 1, shorthand: 'secret', expected });

function oneOf(values: readonly string[]): string {
  return `one of ${values.join(', ')}`;
}
