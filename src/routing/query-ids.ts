const NEEDLE = Buffer.from('ueryId"');
/** Larger bodies hold long lists of values and are not read for an id. */
const LONGEST = 256 * 1024;

/** The ids that a query's body gives it (`context.queryId`, `context.sqlQueryId`), mostly none. Never throws. */
export function queryIdsOf(body: Buffer): readonly string[] {
  if (body.length > LONGEST || !body.includes(NEEDLE)) return [];
  try {
    const parsed = JSON.parse(body.toString('utf8')) as {
      context?: { queryId?: unknown; sqlQueryId?: unknown };
    } | null;
    const { queryId, sqlQueryId } = parsed?.context ?? {};
    return [queryId, sqlQueryId].filter((id): id is string => typeof id === 'string' && id !== '');
  } catch {
    return [];
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
