import type { WholeBody } from '../http/body.ts';
import { plainBody } from './body-text.ts';

/** The ids of one query. Each is null if absent, or if it cannot be written as it was meant. */
export interface QueryIds {
  readonly queryId: string | null;
  readonly sqlQueryId: string | null;
}

/** The parts of a query that the gateway uses; its body is forwarded unchanged. */
export interface QueryContext extends QueryIds {
  /** Those of the two ids that are present. */
  readonly ids: readonly string[];
  /** `context.timeout` in milliseconds; null if absent or 0, which means no timeout. */
  readonly timeoutMs: number | null;
}

export const NO_CONTEXT: QueryContext = { queryId: null, sqlQueryId: null, ids: [], timeoutMs: null };

const ID = 'ueryId"';
const TIMEOUT = '"timeout"';
const GZIP = '\x1f\x8b';
/** Longest body, in bytes, that is looked at as text; it is sent as text, too. */
const SHORT = 16 * 1024;
/** Largest body that is read, in bytes; larger ones hold long lists of values and are not worth the time. */
const LONGEST = 256 * 1024;

/** Longest id in characters; Druid's own ids have 36. */
const LONGEST_ID = 256;
/** Control characters, and `.` or `..` that a server may take for path segments. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what no id has.
const NO_ID = /[\x00-\x1f\x7f-\x9f]|(?:^|[/\\])\.\.?(?:[/\\]|$)/;

/**
 * Whether this text is safe to identify, cancel and log a query by. A lone surrogate is not: it cannot be written
 * into a target. Nor are `.` and `..`, which would change the target's path.
 */
export function isQueryId(text: string): boolean {
  return text !== '' && text.length <= LONGEST_ID && text.isWellFormed() && !NO_ID.test(text);
}

/** Reads a query's body; parses it only if it contains one of these words. Never throws. */
export function queryContextOf(body: WholeBody): QueryContext {
  if (body.length <= SHORT) {
    const { text } = body;
    if (!text.startsWith(GZIP) && !text.includes(ID) && !text.includes(TIMEOUT)) return NO_CONTEXT;
  }
  const plain = plainBody(body.bytes, LONGEST);
  if (plain === null || !(plain.includes(ID) || plain.includes(TIMEOUT))) return NO_CONTEXT;
  try {
    const parsed = JSON.parse(plain.toString('utf8')) as {
      context?: { queryId?: unknown; sqlQueryId?: unknown; timeout?: unknown };
    } | null;
    const { timeout, ...given } = parsed?.context ?? {};
    const queryId = givenId(given.queryId);
    const sqlQueryId = givenId(given.sqlQueryId);
    const ids = [queryId, sqlQueryId].filter((id) => id !== null);
    // Druid also accepts numbers in quotes (QueryContexts).
    const milliseconds = typeof timeout === 'string' ? Number(timeout) : timeout;
    const valid =
      typeof milliseconds === 'number' && milliseconds > 0 && milliseconds < Number.MAX_SAFE_INTEGER;
    return { queryId, sqlQueryId, ids, timeoutMs: valid ? milliseconds : null };
  } catch {
    // Smile, or malformed JSON; Druid will report the latter.
    return NO_CONTEXT;
  }
}

/** The character that decoders put in place of unreadable octets; the original is unknown. */
const UNREADABLE = '\ufffd';

function givenId(id: unknown): string | null {
  return typeof id === 'string' && isQueryId(id) && !id.includes(UNREADABLE) ? id : null;
}

/** Characters that survive in a header: visible ASCII except `?`, which can replace other characters. */
const UNHARMED = /^[!->@-~]+$/;

/** The last header's value and what it says: each is asked about more than once. */
let lastTold: string | null = null;
let lastToldId: string | null = null;

/**
 * Returns the id from a response header, or null if it may have been altered. For each character outside Latin-1,
 * Jetty 9.4 writes a blank (blanks at the ends are lost) and Jetty 12 a question mark. The rest may be the id of
 * someone else's query.
 */
export function toldId(value: string | null): string | null {
  if (value === null || value === lastTold) return value === null ? null : lastToldId;
  lastTold = value;
  lastToldId = unalteredId(value);
  return lastToldId;
}

function unalteredId(value: string): string | null {
  if (value.length > LONGEST_ID || !UNHARMED.test(value)) return null;
  // What is left of `isQueryId`: an id without a dot has no path segment that is one.
  return value.includes('.') && !isQueryId(value) ? null : value;
}

/** Native, SQL, and Dart (`DartSqlResource`). */
const CANCEL = /^\/druid\/v2\/(?:sql\/(?:dart\/)?)?([^/?]+)\/?(?:\?|$)/;

/** Returns the id in the target of a cancel request, or null if there is no valid one. */
export function cancelledId(target: string): string | null {
  const [, raw] = CANCEL.exec(target) ?? [];
  if (raw === undefined) return null;
  try {
    const id = decodeURIComponent(raw);
    return isQueryId(id) ? id : null;
  } catch {
    return null;
  }
}

/**
 * Returns the target that cancels a query sent to `target`, or null if `id` is not valid. Dart in Druid 31 to 33
 * has its own path (`DartSqlResource`): on the path for other SQL, its Broker answers 202 and keeps running the
 * query.
 */
export function cancelTarget(target: string, id: string): string | null {
  if (!isQueryId(id)) return null;
  const [, kind = ''] = /^\/druid\/v2(\/sql(?:\/dart)?)(?:[/?]|$)/.exec(target) ?? [];
  return `/druid/v2${kind}/${encodeURIComponent(id)}`;
}
