import { type TSchema, Type } from 'typebox';
import { LONGEST_TIMER_MS } from '../time/timer.ts';
import type { FormatName } from './formats.ts';

/**
 * How a value may be written besides its resolved form; `shorthand.ts` turns the one into the other.
 *
 * - `duration`: `250ms`, `30s`, `5m`, `1h` for milliseconds. `size`: `64KiB`, `1MiB` for bytes.
 * - `address`: `HOST:PORT` for `{ host, port }`. `broker`: a URL for `{ url }`. `srv`: a name for `{ name }`. `strategy`: a name for `{ type }`.
 * - `tiers`: a map of tiers to services for a list of `{ tier, service }`.
 * - `file`: a path, relative to the file that names it. `znode`: a ZooKeeper path, the leading slash optional.
 * - `basePath`: a path of URLs, a slash at its end optional; `/` for none.
 * - `secret`: text that is never shown. `workers`: `auto` for as many as there are cores.
 */
export type Shorthand =
  | 'duration'
  | 'size'
  | 'address'
  | 'broker'
  | 'srv'
  | 'strategy'
  | 'tiers'
  | 'file'
  | 'znode'
  | 'basePath'
  | 'secret'
  | 'workers';

/** Keywords of our own in the schema, for people and for the loader. */
export interface Notes {
  readonly shorthand?: Shorthand;
  /** Completes "expected ...". */
  readonly expected?: string;
  /**
   * People write secrets here by mistake, so messages do not quote values at this key or in the sections around it.
   */
  readonly nearSecret?: boolean;
  /** What the key does, in sentences, for the table in docs/configuration.md and for editors. */
  readonly description?: string;
}

const CLOSED = { additionalProperties: false } as const;

export const DURATION = 'a duration such as 250ms, 30s, 5m or 1h, or a number of milliseconds';
export const SIZE = 'a size such as 64KiB or 1MiB, or a number of bytes';

/** A key without a default may be absent. */
const withDefault = (fallback: number | undefined) => (fallback === undefined ? {} : { default: fallback });

/** A section that gets its defaults even if it is not given; unknown keys are errors. */
export const section = <const P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, { ...CLOSED, default: {}, ...notes });

/** A section that exists only if it is given, and then gets its defaults. */
export const optionalSection = <const P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Optional(Type.Object(properties, { ...CLOSED, ...notes }));

/** Milliseconds. */
export const duration = (description: string, fallback: number, minimum = 1) =>
  Type.Integer({
    description,
    default: fallback,
    minimum,
    maximum: LONGEST_TIMER_MS,
    shorthand: 'duration',
    expected: DURATION,
  });

/** Milliseconds; 0 has a meaning of its own. */
export const durationOrZero = (description: string, fallback: number | undefined, zero: string) =>
  Type.Integer({
    description,
    ...withDefault(fallback),
    minimum: 0,
    maximum: LONGEST_TIMER_MS,
    shorthand: 'duration',
    expected: `${DURATION}; 0 ${zero}`,
  });

/** Bytes. */
export const size = (description: string, fallback: number | undefined, minimum: number, maximum: number) =>
  Type.Integer({
    description,
    ...withDefault(fallback),
    minimum,
    maximum,
    shorthand: 'size',
    expected: SIZE,
  });

export const count = (description: string, fallback: number | undefined, minimum: number, expected: string) =>
  Type.Integer({ description, ...withDefault(fallback), minimum, maximum: 1_000_000, expected });

/** Number of processes that serve. */
export const workers = (description: string) =>
  Type.Integer({
    description,
    default: 1,
    minimum: 1,
    maximum: 256,
    shorthand: 'workers',
    expected: 'a whole number from 1 to 256, or auto',
  });

/** A share of a whole, from 0 to 1. */
export const share = (description: string, fallback: number) =>
  Type.Number({ description, default: fallback, minimum: 0, maximum: 1, expected: 'a number from 0 to 1' });

export const flag = (description: string, fallback: boolean) =>
  Type.Boolean({ description, default: fallback, expected: 'true or false' });

/** `true`, `false` or absent. */
export const optionalFlag = (description: string) =>
  Type.Optional(Type.Boolean({ description, expected: 'true or false' }));

/** A priority of queries, or absent. */
export const optionalInteger = (description: string) =>
  Type.Optional(
    Type.Integer({ description, minimum: -(2 ** 31), maximum: 2 ** 31 - 1, expected: 'a whole number' }),
  );

export const choice = <const V extends string>(description: string, values: V[], fallback: NoInfer<V>) =>
  Type.Enum(values, { description, default: fallback, expected: oneOf(values) });

export const choices = <const V extends string>(description: string, values: V[], fallback: NoInfer<V>[]) =>
  Type.Array(Type.Enum(values, { expected: oneOf(values) }), {
    description,
    default: fallback,
    uniqueItems: true,
    expected: `a list of ${values.join(', ')}`,
  });

export const text = (description: string, expected: string, fallback?: string) =>
  Type.String({
    description,
    minLength: 1,
    expected,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

/** Text that `formats.ts` checks. */
export const formatted = (description: string, format: FormatName, expected: string, fallback?: string) =>
  Type.String({ description, format, expected, ...(fallback === undefined ? {} : { default: fallback }) });

export const listOf = <T extends TSchema>(
  description: string,
  items: T,
  expected: string,
  notes: Notes = {},
) => Type.Array(items, { description, default: [], expected, ...notes });

/** Path of a file. */
export const file = (description: string, what: string) =>
  Type.String({ description, minLength: 1, shorthand: 'file', expected: `the path of ${what}` });

/** Path of a file that holds a secret. */
export const secretFile = (description: string, what: string) =>
  Type.String({
    description,
    minLength: 1,
    shorthand: 'file',
    nearSecret: true,
    expected: `the path of ${what}`,
  });

/** Absolute path of a znode, without a trailing slash. */
export const znode = (description: string, expected: string, fallback: string) =>
  Type.String({ description, format: 'znode', shorthand: 'znode', expected, default: fallback });

/** Path of URLs that others are below, without a trailing slash; empty for none. */
export const basePath = (description: string) =>
  Type.String({
    description,
    format: 'base-path',
    shorthand: 'basePath',
    expected:
      'a path such as /druid-prod, of letters, digits, hyphens, dots, underscores and tildes; / is none',
    default: '',
  });

/** Text that appears in no message, log or status. */
export const secret = (description: string, expected: string) =>
  Type.String({ description, minLength: 1, shorthand: 'secret', expected });

function oneOf(values: readonly string[]): string {
  return `one of ${values.join(', ')}`;
}

/** Keys of TLS as a client. */
export const clientTls = {
  caFile: Type.Optional(
    file('Without it, those that Node.js trusts.', 'a PEM file with the authorities to trust'),
  ),
  certFile: Type.Optional(
    file(
      'For servers that ask for a client certificate; with `keyFile` or not at all.',
      "a PEM file with the client's certificate",
    ),
  ),
  keyFile: Type.Optional(file('The key to `certFile`.', "a PEM file with the client's key")),
  verify: flag('false accepts any certificate.', true),
};
