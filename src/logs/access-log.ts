import { type DestinationStream, type Logger, symbols } from 'pino';
import type { ExchangeRecord, RecordSink } from '../exchange/ports/record.ts';
import { inOnePiece } from '../http/one-piece.ts';
import { isInShare } from '../http/trace-context.ts';
import { isQueryId } from '../routing/query-context.ts';
import { bounded, escapeUnseen } from './field-text.ts';

/** Load balancers probe these every second, so they say nothing about traffic. */
const PROBED_PATHS: ReadonlySet<string> = new Set([
  '/status/health',
  '/status/ready',
  '/druid/broker/v1/readiness',
]);

/** Text that needs no escapes in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Longest name of a user, in UTF-16 code units. */
const LONGEST_USER = 128;

/** Which requests have a line. */
export interface AccessLogOptions {
  /** False: only answers that were not whole, because no status shows these. True by default. */
  readonly everything?: boolean;
  /** The share (0 to 1) of lines that are written of what goes well; all by default. */
  readonly ratio?: number;
  /** A request that takes longer than this, in ms, has a line in any case; 0 is no such limit. */
  readonly slowMs?: number;
  readonly random?: () => number;
}

/**
 * Logs one line per finished exchange: `warn` for a 5xx status or an answer that was not whole, otherwise `info`. The
 * lines look like pino's but are built here: their fields are all known, and this takes a third of pino's time.
 *
 * With a `ratio` below 1 each line says which share of its like it stands for. What went wrong, was refused, took long
 * or may have changed something has all its lines. Of a trace all gateways write the same lines.
 */
export function createAccessLog(
  logger: Logger,
  { everything = true, ratio = 1, slowMs = 0, random = Math.random }: AccessLogOptions = {},
): RecordSink {
  const { [symbols.streamSym]: stream } = logger as unknown as Record<symbol, DestinationStream>;
  const { info = 0, warn = 0 } = logger.levels.values;
  const samples = ratio < 1;
  const sampled = `,"sampleRatio":${ratio}`;

  /** Returns the end of the line; null if there is to be none. */
  function weigh(record: ExchangeRecord): string | null {
    if (isAlwaysLogged(record, slowMs)) return ',"sampleRatio":1';
    const { trace } = record;
    const isIn = trace === null ? random() < ratio : isInShare(trace.traceId, ratio);
    return isIn ? sampled : null;
  }

  return (record) => {
    if (!everything && !wasNotWhole(record)) return;
    if (record.role === 'local' && PROBED_PATHS.has(record.path)) return;
    const wrong = wentWrong(record);
    if (logger.levelVal > (wrong ? warn : info)) return;
    const weight = samples ? weigh(record) : '';
    if (weight !== null) stream?.write(line(wrong ? 'warn' : 'info', record, weight));
  };
}

function isAlwaysLogged(record: ExchangeRecord, slowMs: number): boolean {
  const { status, end, durationMs, class: routeClass } = record;
  if (status >= 400 || end !== 'complete' || (slowMs > 0 && durationMs > slowMs)) return true;
  return routeClass === 'write' || routeClass === 'statement' || routeClass === 'cancel';
}

function wentWrong(record: ExchangeRecord): boolean {
  return record.status >= 500 || wasNotWhole(record);
}

function wasNotWhole({ end }: ExchangeRecord): boolean {
  return end === 'upstream_cut' || end === 'incomplete' || end === 'internal_error';
}

function line(level: string, record: ExchangeRecord, weight: string): string {
  const { upstream, durationMs, parkedMs, bytesIn, bytesOut } = record;
  const waited = parkedMs === 0 ? NOT_PARKED : `,"parkedMs":${tenths(parkedMs)},"bytesIn":`;
  return (
    `${beginning(level)}${text(record.id)}${request(record)}${upstream === null ? 'null' : node(upstream)}` +
    `${attempts(record)}${tenths(durationMs)}${waited}${bytesIn},"bytesOut":${bytesOut}${ending(record)}` +
    `${queryId(record)}${extras(record, weight)}${END}`
  );
}

const NOT_PARKED = ',"parkedMs":0,"bytesIn":';
const END = ',"msg":"request"}\n';

/*
 * Most lines are much like the one before, so the parts that differ seldom are kept: a line that is put together of
 * fifty strings takes twice the time of one of twenty.
 */

let last: ExchangeRecord | null = null;
let lastRequest = '';

/** What the request was and how it was answered, up to the node. */
function request(record: ExchangeRecord): string {
  if (last !== null && isLike(last, record)) return lastRequest;
  last = record;
  lastRequest = inOnePiece(
    `,"method":${text(record.method)},"path":${text(record.path)},"role":"${record.role}","class":"${record.class}"` +
      `,"status":${record.status},"reason":${text(record.reason)},"upstream":`,
  );
  return lastRequest;
}

function isLike(one: ExchangeRecord, other: ExchangeRecord): boolean {
  return (
    one.path === other.path &&
    one.status === other.status &&
    one.class === other.class &&
    one.role === other.role &&
    one.reason === other.reason &&
    one.method === other.method
  );
}

/** Nodes whose names are kept as JSON: as many as there can be of a role, so that not each request adds one. */
const MOST_NODES = 10_000;
const nodes = new Map<string, string>();

function node(hostAndPort: string): string {
  const known = nodes.get(hostAndPort);
  if (known !== undefined) return known;
  if (nodes.size === MOST_NODES) nodes.clear();
  const name = inOnePiece(text(hostAndPort));
  nodes.set(hostAndPort, name);
  return name;
}

let lastAttempts = -1;
let lastRedirected = false;
let lastAttemptsText = '';

function attempts({ attempts, redirected }: ExchangeRecord): string {
  if (attempts !== lastAttempts || redirected !== lastRedirected) {
    lastAttempts = attempts;
    lastRedirected = redirected;
    lastAttemptsText = inOnePiece(`,"attempts":${attempts},"redirected":${redirected},"ms":`);
  }
  return lastAttemptsText;
}

let lastEnd = '';
let lastRemote = '';
let lastEnding = '';

function ending({ end, remoteAddress }: ExchangeRecord): string {
  if (end !== lastEnd || remoteAddress !== lastRemote) {
    lastEnd = end;
    lastRemote = remoteAddress;
    lastEnding = inOnePiece(`,"end":"${end}","remote":${text(remoteAddress)},"queryId":`);
  }
  return lastEnding;
}

let lastLevel = '';
let lastMs = 0;
let lastBeginning = '';

function beginning(level: string): string {
  const now = Date.now();
  if (now !== lastMs || level !== lastLevel) {
    lastMs = now;
    lastLevel = level;
    lastBeginning = inOnePiece(`{"level":"${level}","time":"${isoTime(now)}","id":`);
  }
  return lastBeginning;
}

/** A path can be as long as a request head. As with all text from outside, the log keeps its beginning. */
function text(value: string | null): string {
  if (value === null) return 'null';
  const shown = bounded(value);
  return PLAIN.test(shown) ? `"${shown}"` : escapeUnseen(JSON.stringify(shown));
}

/** An id as Druid makes them, which needs no further look if it is not too long. */
const USUAL_ID = /^[\w-]+$/;
const LONGEST_USUAL_ID = 128;

/** A node can send any text as the query's id; only a valid id is logged. */
function queryId({ queryId }: ExchangeRecord): string {
  if (queryId === null) return 'null';
  if (queryId.length <= LONGEST_USUAL_ID && USUAL_ID.test(queryId)) return `"${queryId}"`;
  return isQueryId(queryId) ? text(queryId) : 'null';
}

/** Fields that most lines do not have, and the line's weight. */
function extras(record: ExchangeRecord, weight: string): string {
  const { placement, trace, user } = record;
  if (placement === null && trace === null && user === null) return weight;
  return placed(record) + traced(record) + named(record) + weight;
}

/** Returns nothing if there is only one Broker service. */
function placed({ placement }: ExchangeRecord): string {
  if (placement === null) return '';
  const { service, by, rule, fellBack } = placement;
  const chosenBy = rule === null ? by : `${by} ${rule}`;
  return `,"service":${text(service)},"chosenBy":"${chosenBy}"${fellBack ? ',"fellBack":true' : ''}`;
}

/** Ids are as their checked header has them, or of our own making. */
function traced({ trace }: ExchangeRecord): string {
  if (trace === null) return '';
  const { traceId, spanId, parentSpanId } = trace;
  const span = spanId === null ? '' : `,"spanId":"${spanId}"`;
  const parent = parentSpanId === null ? '' : `,"parentSpanId":"${parentSpanId}"`;
  return `,"traceId":"${traceId}"${span}${parent}`;
}

function named({ user }: ExchangeRecord): string {
  return user === null ? '' : `,"user":${text(bounded(user, LONGEST_USER))}`;
}

/** The numbers that most requests take, in tenths of a millisecond; kept as they are used. */
const SHORT_TIMES: string[] = new Array(1_000).fill('');

/** Rounds to tenths. Whole numbers are written quickly, and others slowly. */
function tenths(milliseconds: number): string {
  const all = Math.round(milliseconds * 10);
  const known = SHORT_TIMES[all] ?? '';
  if (known !== '') return known;
  const written = inTenths(all);
  if (all >= 0 && all < SHORT_TIMES.length) SHORT_TIMES[all] = written;
  return written;
}

function inTenths(all: number): string {
  const whole = Math.floor(all / 10);
  const tenth = all - whole * 10;
  return tenth === 0 ? `${whole}` : `${whole}.${tenth}`;
}

let second = 0;
let secondText = '';

/** The time as pino writes it. The part above the millisecond is rebuilt once a second. */
function isoTime(now: number): string {
  const whole = Math.floor(now / 1000);
  if (whole !== second) {
    second = whole;
    secondText = new Date(whole * 1000).toISOString().slice(0, -4);
  }
  return `${secondText}${String(now - whole * 1000).padStart(3, '0')}Z`;
}
