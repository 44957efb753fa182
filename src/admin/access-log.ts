import type { Logger } from 'pino';
import type { ExchangeRecord, RecordSink } from '../exchange/record.ts';

/** Load balancers ask these every second; they say nothing about traffic. */
const PROBED_PATHS: ReadonlySet<string> = new Set(['/status/health', '/status/ready']);

/** A path can be as long as a request head may be; the log keeps its beginning. */
const MAX_PATH = 1024;

/**
 * One line for each exchange when it is over: `info`, and `warn` where someone got less than they asked for. Where not
 * everything is wanted, still one for each answer that was not whole: no status tells of those.
 */
export function createAccessLog(logger: Logger, everything = true): RecordSink {
  return (record) => {
    if (!everything && !wasNotWhole(record)) return;
    if (record.role === 'local' && PROBED_PATHS.has(record.path)) return;
    if (wentWrong(record)) logger.warn(fields(record), 'request');
    else logger.info(fields(record), 'request');
  };
}

function wentWrong(record: ExchangeRecord): boolean {
  return record.status >= 500 || wasNotWhole(record);
}

function wasNotWhole({ end }: ExchangeRecord): boolean {
  return end === 'upstream_cut' || end === 'incomplete';
}

function fields(record: ExchangeRecord): object {
  return {
    id: record.id,
    method: record.method,
    path: record.path.length > MAX_PATH ? `${record.path.slice(0, MAX_PATH)}…` : record.path,
    role: record.role,
    class: record.class,
    status: record.status,
    reason: record.reason,
    upstream: record.upstream,
    attempts: record.attempts,
    redirected: record.redirected,
    ms: tenths(record.durationMs),
    parkedMs: tenths(record.parkedMs),
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    end: record.end,
    remote: record.remoteAddress,
    queryId: record.queryId,
    ...placement(record),
  };
}

/** Nothing where there was one Broker service only. */
function placement({ placement }: ExchangeRecord): object {
  if (placement === null) return {};
  const { service, by, rule, fellBack } = placement;
  return { service, chosenBy: rule === null ? by : `${by} ${rule}`, ...(fellBack ? { fellBack } : {}) };
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
