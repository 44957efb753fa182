import { plainBody } from './body-text.ts';

/** The ids of one query; null where there is none, or none that can be written as it was meant. */
export interface QueryIds {
  readonly queryId: string | null;
  readonly sqlQueryId: string | null;
}

/** What the gateway needs to know of a query; its body goes on as it came. */
export interface QueryContext extends QueryIds {
  /** Those of the two ids that are there. */
  readonly ids: readonly string[];
  /** `context.timeout` in milliseconds; null without one, and for 0, which is none. */
  readonly timeoutMs: number | null;
}

export const NO_CONTEXT: QueryContext = { queryId: null, sqlQueryId: null, ids: [], timeoutMs: null };

const ID = Buffer.from('ueryId"');
const TIMEOUT = Buffer.from('"timeout"');
/** Larger bodies hold long lists of values; what follows those is not worth reading them. */
const LONGEST = 256 * 1024;

/** Druid's own ids have 36 characters. */
const LONGEST_ID = 256;
/** Control characters, and what a server may take for steps through its paths. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what no id has.
const NO_ID = /[\x00-\x1f\x7f-\x9f]|(?:^|[/\\])\.\.?(?:[/\\]|$)/;

/**
 * Whether a query can be known, cancelled and logged by this text. Half a surrogate pair is none: it cannot be written
 * into a target; nor are `.` and `..`, which in a target mean another one.
 */
export function isQueryId(text: string): boolean {
  return text !== '' && text.length <= LONGEST_ID && text.isWellFormed() && !NO_ID.test(text);
}

/** Reads a query's body, which is parsed only where it holds one of these words. Never throws. */
export function queryContextOf(body: Buffer): QueryContext {
  const plain = plainBody(body, LONGEST);
  if (plain === null || !(plain.includes(ID) || plain.includes(TIMEOUT))) return NO_CONTEXT;
  try {
    const parsed = JSON.parse(plain.toString('utf8')) as {
      context?: { queryId?: unknown; sqlQueryId?: unknown; timeout?: unknown };
    } | null;
    const { timeout, ...given } = parsed?.context ?? {};
    const queryId = givenId(given.queryId);
    const sqlQueryId = givenId(given.sqlQueryId);
    const ids = [queryId, sqlQueryId].filter((id) => id !== null);
    // Druid takes numbers in quotes, too (QueryContexts).
    const milliseconds = typeof timeout === 'string' ? Number(timeout) : timeout;
    const valid =
      typeof milliseconds === 'number' && milliseconds > 0 && milliseconds < Number.MAX_SAFE_INTEGER;
    return { queryId, sqlQueryId, ids, timeoutMs: valid ? milliseconds : null };
  } catch {
    // Smile, or wrong: Druid says so if it is.
    return NO_CONTEXT;
  }
}

/** What a decoder puts in the place of octets that it cannot read: what was there is not known. */
const UNREADABLE = '\ufffd';

function givenId(id: unknown): string | null {
  return typeof id === 'string' && isQueryId(id) && !id.includes(UNREADABLE) ? id : null;
}

/** What a header holds unharmed: visible ASCII, less what stands in for other characters. */
const UNHARMED = /^[!->@-~]+$/;

/**
 * An id out of a header of an answer; null where it may have been another one. Jetty 9.4 writes a blank for each character
 * outside Latin-1, of which those at the ends are lost, and Jetty 12 a question mark: what is left may name
 * somebody else's query.
 */
export function toldId(value: string | null): string | null {
  return value !== null && UNHARMED.test(value) && isQueryId(value) ? value : null;
}

/** Native, SQL, and Dart (`DartSqlResource`). */
const CANCEL = /^\/druid\/v2\/(?:sql\/(?:dart\/)?)?([^/?]+)\/?(?:\?|$)/;

/** The id in a cancel's target; null where it is none. */
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
 * Where a query that was sent to `target` is cancelled; null for what is no id. Dart of Druid 31 to 33 has a path of its
 * own (`DartSqlResource`): at that of other SQL its Broker says 202 and goes on.
 */
export function cancelTarget(target: string, id: string): string | null {
  if (!isQueryId(id)) return null;
  const [, kind = ''] = /^\/druid\/v2(\/sql(?:\/dart)?)(?:[/?]|$)/.exec(target) ?? [];
  return `/druid/v2${kind}/${encodeURIComponent(id)}`;
}
