import { plainBody } from './body-text.ts';

/** What the gateway needs to know of a query; its body goes on as it came. */
export interface QueryFacts {
  /** `context.queryId` and `context.sqlQueryId`, mostly none. */
  readonly ids: readonly string[];
  /** `context.timeout` in milliseconds; null without one, and for 0, which is none. */
  readonly timeoutMs: number | null;
}

export const NO_FACTS: QueryFacts = { ids: [], timeoutMs: null };

const ID = Buffer.from('ueryId"');
const TIMEOUT = Buffer.from('"timeout"');
/** Larger bodies hold long lists of values; what follows those is not worth reading them. */
const LONGEST = 256 * 1024;

/** Reads a query's body, which is parsed only where it holds one of these words. Never throws. */
export function queryFactsOf(body: Buffer): QueryFacts {
  const plain = plainBody(body, LONGEST);
  if (plain === null || !(plain.includes(ID) || plain.includes(TIMEOUT))) return NO_FACTS;
  try {
    const parsed = JSON.parse(plain.toString('utf8')) as {
      context?: { queryId?: unknown; sqlQueryId?: unknown; timeout?: unknown };
    } | null;
    const { queryId, sqlQueryId, timeout } = parsed?.context ?? {};
    const ids = [queryId, sqlQueryId].filter((id): id is string => typeof id === 'string' && id !== '');
    // Druid takes numbers in quotes, too (QueryContexts).
    const milliseconds = typeof timeout === 'string' ? Number(timeout) : timeout;
    const valid =
      typeof milliseconds === 'number' && milliseconds > 0 && milliseconds < Number.MAX_SAFE_INTEGER;
    return { ids, timeoutMs: valid ? milliseconds : null };
  } catch {
    // Smile, or wrong: Druid says so if it is.
    return NO_FACTS;
  }
}

const CANCEL = /^\/druid\/v2\/(?:sql\/)?([^/?]+)\/?(?:\?|$)/;

/** The id in a cancel's target; null where it cannot be decoded. */
export function cancelledId(target: string): string | null {
  const [, raw] = CANCEL.exec(target) ?? [];
  if (raw === undefined) return null;
  try {
    return decodeURIComponent(raw);
  } catch {
    return null;
  }
}

/** Where a query that was sent to `target` is cancelled. */
export function cancelTarget(target: string, id: string): string {
  const sql = /^\/druid\/v2\/sql(?:[/?]|$)/.test(target);
  return `/druid/v2/${sql ? 'sql/' : ''}${encodeURIComponent(id)}`;
}
