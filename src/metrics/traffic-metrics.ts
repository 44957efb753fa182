import { Counter, Histogram, type Registry } from 'prom-client';
import type { ExchangeRecord, RecordSink } from '../exchange/ports/record.ts';
import { createTalliedHistogram, type HistogramTally, type TalliedHistogram } from './tallied-histogram.ts';

/** Names of the metrics that `traffic-window.ts` computes rates and quantiles of. */
export const TRAFFIC_METRICS = {
  requests: 'druid_gateway_requests_total',
  errors: 'druid_gateway_errors_total',
  duration: 'druid_gateway_request_duration_seconds',
} as const;

/** Ten buckets, in seconds: from an answer out of the leader's memory to Druid's own query timeout of 300 s. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 60, 300];
const PARKED_BUCKETS = [0.05, 0.25, 1, 2.5, 5, 10, 30, 60];

/** Sums over all exchanges of one role, class and status; copied to prom-client's counters when scraped. */
interface Tally {
  readonly role: string;
  readonly class: string;
  readonly status: string;
  requests: number;
  attempts: number;
  retries: number;
  redirects: number;
  clientGone: number;
  upstreamCut: number;
  incomplete: number;
  bytesIn: number;
  bytesOut: number;
  /** Shared by all statuses of a role and class. */
  readonly duration: HistogramTally;
}

type Label = 'role' | 'class' | 'status';
type Sum = Exclude<keyof Tally, Label | 'duration'>;

const COUNTERS: readonly { name: string; help: string; labels: readonly Label[]; sum: Sum }[] = [
  {
    name: TRAFFIC_METRICS.requests,
    help: 'Requests answered, by the role that answered or should have, kind of request and status sent.',
    labels: ['role', 'class', 'status'],
    sum: 'requests',
  },
  {
    name: 'druid_gateway_attempts_total',
    help: 'Requests sent or tried to nodes.',
    labels: ['role'],
    sum: 'attempts',
  },
  {
    name: 'druid_gateway_retries_total',
    help: 'Attempts after the first of the same request.',
    labels: ['role'],
    sum: 'retries',
  },
  {
    name: 'druid_gateway_redirects_total',
    help: 'Requests answered with a redirect to a node.',
    labels: ['role'],
    sum: 'redirects',
  },
  {
    name: 'druid_gateway_client_gone_total',
    help: 'Clients that left before their answer was complete.',
    labels: ['role'],
    sum: 'clientGone',
  },
  {
    name: 'druid_gateway_upstream_cut_total',
    help: 'Answers that broke off in the middle because the node did; the client was reset.',
    labels: ['role'],
    sum: 'upstreamCut',
  },
  {
    name: 'druid_gateway_incomplete_answers_total',
    help: 'Answers that Druid called incomplete in a trailer, or did not call complete although it was to.',
    labels: ['role'],
    sum: 'incomplete',
  },
  {
    name: 'druid_gateway_received_bytes_total',
    help: 'Bytes of request bodies received from clients.',
    labels: ['role'],
    sum: 'bytesIn',
  },
  {
    name: 'druid_gateway_sent_bytes_total',
    help: 'Bytes of answer bodies sent to clients.',
    labels: ['role'],
    sum: 'bytesOut',
  },
];

/** Registers the metrics of exchanges and returns the sink that feeds them, which takes about 1 µs per record. */
export function trafficMetrics(registry: Registry): RecordSink {
  const registers = [registry];
  const tallies: Tally[] = [];
  for (const { name, help, labels, sum } of COUNTERS) {
    new Counter({
      name,
      help,
      labelNames: labels,
      registers,
      collect() {
        this.reset();
        for (const tally of tallies) this.inc(pick(tally, labels), tally[sum]);
      },
    });
  }
  const errors = new Counter({
    name: TRAFFIC_METRICS.errors,
    help: 'Answers that are the gateway’s own refusals, by reason code and kind of request.',
    labelNames: ['reason', 'class'],
    registers,
  });
  const duration = createTalliedHistogram(registry, {
    name: TRAFFIC_METRICS.duration,
    help: 'From the request head received to the last byte sent.',
    labelNames: ['role', 'class'],
    buckets: DURATION_BUCKETS,
  });
  const tallyOf = createTallies(tallies, duration);
  const parked = new Histogram({
    name: 'druid_gateway_parked_seconds',
    help: 'How long those requests waited that had to wait for a leader or a Broker.',
    labelNames: ['role'],
    buckets: PARKED_BUCKETS,
    registers,
  });
  return (record) => {
    const tally = tallyOf(record);
    add(tally, record);
    duration.observe(tally.duration, record.durationMs / 1000);
    if (record.parkedMs > 0) parked.observe({ role: record.role }, record.parkedMs / 1000);
    if (record.reason !== null) errors.inc({ reason: record.reason, class: record.class });
  };
}

/** Finds the tally of a record without building a key: by role and class first, then by status. */
function createTallies(all: Tally[], duration: TalliedHistogram): (record: ExchangeRecord) => Tally {
  const kinds = new Map<string, Map<string, { duration: HistogramTally; byStatus: Tally[] }>>();
  return (record) => {
    let classes = kinds.get(record.role);
    if (classes === undefined) {
      classes = new Map();
      kinds.set(record.role, classes);
    }
    let kind = classes.get(record.class);
    if (kind === undefined) {
      kind = { duration: duration.tally({ role: record.role, class: record.class }), byStatus: [] };
      classes.set(record.class, kind);
    }
    const status = record.status >= 100 && record.status <= 599 ? record.status : 0;
    const known = kind.byStatus[status];
    if (known !== undefined) return known;
    const fresh: Tally = {
      role: record.role,
      class: record.class,
      status: status === 0 ? 'other' : String(status),
      requests: 0,
      attempts: 0,
      retries: 0,
      redirects: 0,
      clientGone: 0,
      upstreamCut: 0,
      incomplete: 0,
      bytesIn: 0,
      bytesOut: 0,
      duration: kind.duration,
    };
    kind.byStatus[status] = fresh;
    all.push(fresh);
    return fresh;
  };
}

function add(tally: Tally, record: ExchangeRecord): void {
  tally.requests += 1;
  tally.attempts += record.attempts;
  if (record.attempts > 1) tally.retries += record.attempts - 1;
  if (record.redirected) tally.redirects += 1;
  if (record.end === 'client_gone') tally.clientGone += 1;
  else if (record.end === 'upstream_cut') tally.upstreamCut += 1;
  else if (record.end === 'incomplete') tally.incomplete += 1;
  tally.bytesIn += record.bytesIn;
  tally.bytesOut += record.bytesOut;
}

function pick(tally: Tally, labels: readonly Label[]): Partial<Record<Label, string>> {
  return Object.fromEntries(labels.map((label) => [label, tally[label]]));
}
