import { type DestinationStream, type Logger, symbols } from 'pino';
import type { ExchangeRecord, RecordSink } from '../exchange/ports/record.ts';
import { isQueryId } from '../routing/query-context.ts';
import { bounded, escapeUnseen } from './field-text.ts';

/** Load balancers ask these every second; they say nothing about traffic. */
const PROBED_PATHS: ReadonlySet<string> = new Set([
  '/status/health',
  '/status/ready',
  '/druid/broker/v1/readiness',
]);

/** What JSON text holds as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * One line for each exchange when it is over: `info`, and `warn` where someone got less than they asked for. Where not
 * everything is wanted, still one for each answer that was not whole: no status tells of those. The lines are pino's,
 * put together here: nothing in them is unknown, and this is a third of what pino takes for one.
 */
export function createAccessLog(logger: Logger, everything = true): RecordSink {
  const { [symbols.streamSym]: stream } = logger as unknown as Record<symbol, DestinationStream>;
  return (record) => {
    if (!everything && !wasNotWhole(record)) return;
    if (record.role === 'local' && PROBED_PATHS.has(record.path)) return;
    const level = wentWrong(record) ? 'warn' : 'info';
    if (logger.isLevelEnabled(level)) stream?.write(line(level, record));
  };
}

function wentWrong(record: ExchangeRecord): boolean {
  return record.status >= 500 || wasNotWhole(record);
}

function wasNotWhole({ end }: ExchangeRecord): boolean {
  return end === 'upstream_cut' || end === 'incomplete' || end === 'internal_error';
}

function line(level: string, record: ExchangeRecord): string {
  return (
    `{"level":"${level}","time":"${isoTime()}","id":${text(record.id)},"method":${text(record.method)}` +
    `,"path":${text(record.path)},"role":"${record.role}","class":"${record.class}","status":${record.status}` +
    `,"reason":${text(record.reason)},"upstream":${text(record.upstream)},"attempts":${record.attempts}` +
    `,"redirected":${record.redirected},"ms":${tenths(record.durationMs)},"parkedMs":${tenths(record.parkedMs)}` +
    `,"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut},"end":"${record.end}"` +
    `,"remote":${text(record.remoteAddress)},"queryId":${text(queryId(record))}${placed(record)},"msg":"request"}\n`
  );
}

/** A path can be as long as a request head may be; the log keeps its beginning, as of all that others say. */
function text(value: string | null): string {
  if (value === null) return 'null';
  const shown = bounded(value);
  return PLAIN.test(shown) ? `"${shown}"` : escapeUnseen(JSON.stringify(shown));
}

/** A node may say that anything is the query's id. */
function queryId({ queryId }: ExchangeRecord): string | null {
  return queryId !== null && isQueryId(queryId) ? queryId : null;
}

/** Nothing where there was one Broker service only. */
function placed({ placement }: ExchangeRecord): string {
  if (placement === null) return '';
  const { service, by, rule, fellBack } = placement;
  const chosenBy = rule === null ? by : `${by} ${rule}`;
  return `,"service":${text(service)},"chosenBy":"${chosenBy}"${fellBack ? ',"fellBack":true' : ''}`;
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

let second = 0;
let secondText = '';

/** The time as pino has it; what is above the millisecond is made once a second. */
function isoTime(): string {
  const now = Date.now();
  const whole = Math.floor(now / 1000);
  if (whole !== second) {
    second = whole;
    secondText = new Date(whole * 1000).toISOString().slice(0, -4);
  }
  return `${secondText}${String(now - whole * 1000).padStart(3, '0')}Z`;
}
