import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { UpstreamNode } from '../../../src/cluster/node.ts';
import type { ElectedLeader } from '../../../src/cluster/view.ts';
import type { DangerousSetting } from '../../../src/config/dangerous-settings.ts';
import type { TermObserved } from '../../../src/metrics/history-metrics.ts';
import { createMetrics, type Metrics } from '../../../src/metrics/metrics.ts';
import { spanMetrics } from '../../../src/metrics/span-metrics.ts';
import { workerMetrics } from '../../../src/metrics/worker-metrics.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { exchange, FakeCluster, FakeDiscovery, leaderless, node, serving } from '../admin/fakes.ts';

let cluster: FakeCluster;
let discovery: FakeDiscovery;
let registry: Registry;
let metrics: Metrics;
let now: number;
let dangers: readonly DangerousSetting[];
let onTerm: (term: TermObserved) => void;
const history = { waited: 0, failed: 0, written: true, writtenAt: 0 };
let reloads: { successful: boolean; succeededAt: number; certificates: Map<string, number> };

beforeEach(() => {
  cluster = new FakeCluster();
  discovery = new FakeDiscovery();
  registry = new Registry();
  now = 1_000_000;
  dangers = [];
  Object.assign(history, { waited: 5, failed: 2, written: true, writtenAt: 0 });
  reloads = { successful: true, succeededAt: 1_000, certificates: new Map() };
  metrics = createMetrics({
    cluster,
    discovery,
    registry,
    errors: recordErrors(),
    version: '1.2.3',
    inFlight: () => 4,
    exchange: {
      waitQueue: { waiting: () => 5, queued: () => 2 },
      concurrency: { under: () => 7 },
      bodies: { used: 4711 },
      retryBudget: { refusals: 1 },
      pressure: { high: true },
    },
    rules: { ageMs: 12_500 },
    dangers: () => dangers,
    reloads,
    history: {
      onTerm(listener) {
        onTerm = listener;
        return () => {
          onTerm = () => {};
        };
      },
      kept: () => 3,
      waits: () => history,
      get written() {
        return history.written;
      },
      get writtenAt() {
        return history.writtenAt;
      },
    },
    haproxy: () => ({ up: true, commands: 42 }),
    kubernetesFeed: () => ({ up: true, holder: false, writes: 7 }),
    now: () => now,
  });
});

afterEach(() => metrics.close());

test('the text is that of the registry, and is made over several turns of the event loop', async () => {
  let turns = 0;
  let ended = false;
  const count = (): void => {
    turns++;
    if (!ended) setImmediate(count);
  };
  setImmediate(count);
  const text = await metrics.render();
  ended = true;
  expect(turns).toBeGreaterThan(registry.getMetricsAsArray().length / 2);
  const names = (of: string): string[] => of.split('\n').filter((line) => line.startsWith('# '));
  const whole = await registry.metrics();
  expect(names(text)).toEqual(names(whole));
  expect(text.length - text.trimEnd().length).toBe(whole.length - whole.trimEnd().length);
});

/** The value of one series, as a scraper reads it; undefined when there is none. */
async function value(series: string): Promise<number | undefined> {
  const line = (await metrics.render()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('names and help are as `promtool check metrics` wants them', async () => {
  metrics.record(exchange());
  const text = await metrics.render();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({ name, type }));
  expect(types.length).toBeGreaterThan(50);
  for (const { name, type } of types) {
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    expect(name).not.toMatch(/_(?:count|sum|bucket|info_total|milliseconds|ms|kb|mib)$|[A-Z]/);
  }
});

describe('exchanges', () => {
  test('requests are counted by role, class and status, and by nothing a client can choose', async () => {
    metrics.record(exchange());
    metrics.record(exchange({ path: '/druid/v2/sql/other', remoteAddress: '192.0.2.9', method: 'PUT' }));
    metrics.record(exchange({ status: 400 }));
    expect(await value('druid_gateway_requests_total{role="broker",class="query",status="200"}')).toBe(2);
    expect(await value('druid_gateway_requests_total{role="broker",class="query",status="400"}')).toBe(1);
    expect(await metrics.render()).not.toMatch(/192\.0\.2|\/druid\/|PUT|POST/);
  });

  test('a count is the same at every scrape', async () => {
    metrics.record(exchange());
    const series = 'druid_gateway_requests_total{role="broker",class="query",status="200"}';
    expect(await value(series)).toBe(1);
    expect(await value(series)).toBe(1);
    metrics.record(exchange());
    expect(await value(series)).toBe(2);
  });

  test('attempts, retries, redirects, bytes and bad ends are summed by role', async () => {
    metrics.record(exchange({ attempts: 3 }));
    metrics.record(exchange({ attempts: 0, redirected: true, status: 307 }));
    metrics.record(exchange({ end: 'client_gone', status: 499 }));
    metrics.record(exchange({ end: 'upstream_cut' }));
    metrics.record(exchange({ end: 'incomplete' }));
    metrics.record(exchange({ role: 'overlord', class: 'write' }));
    expect(await value('druid_gateway_attempts_total{role="broker"}')).toBe(6);
    expect(await value('druid_gateway_retries_total{role="broker"}')).toBe(2);
    expect(await value('druid_gateway_retries_total{role="overlord"}')).toBe(0);
    expect(await value('druid_gateway_redirects_total{role="broker"}')).toBe(1);
    expect(await value('druid_gateway_client_gone_total{role="broker"}')).toBe(1);
    expect(await value('druid_gateway_upstream_cut_total{role="broker"}')).toBe(1);
    expect(await value('druid_gateway_incomplete_answers_total{role="broker"}')).toBe(1);
    expect(await value('druid_gateway_received_bytes_total{role="broker"}')).toBe(500);
    expect(await value('druid_gateway_sent_bytes_total{role="broker"}')).toBe(5000);
  });

  test('durations are in seconds, and only requests that waited count as parked', async () => {
    metrics.record(exchange({ durationMs: 30 }));
    metrics.record(exchange({ durationMs: 1500, parkedMs: 1200 }));
    const request = 'druid_gateway_request_duration_seconds';
    expect(await value(`${request}_bucket{le="0.025",role="broker",class="query"}`)).toBe(0);
    expect(await value(`${request}_bucket{le="0.1",role="broker",class="query"}`)).toBe(1);
    expect(await value(`${request}_sum{role="broker",class="query"}`)).toBeCloseTo(1.53);
    expect(await value('druid_gateway_parked_seconds_count{role="broker"}')).toBe(1);
    expect(await value('druid_gateway_parked_seconds_sum{role="broker"}')).toBeCloseTo(1.2);
  });

  test('odd statuses share one series, reasons have one each', async () => {
    metrics.record(exchange({ status: 799 }));
    metrics.record(exchange({ status: 601 }));
    for (const reason of ['no_leader', 'overloaded', 'overloaded'] as const) {
      metrics.record(exchange({ status: 503, reason }));
    }
    expect(await value('druid_gateway_requests_total{role="broker",class="query",status="other"}')).toBe(2);
    expect((await metrics.render()).match(/^druid_gateway_errors_total\{/gm)).toHaveLength(2);
    expect(await value('druid_gateway_errors_total{reason="overloaded",class="query"}')).toBe(2);
  });
});

describe('the cluster', () => {
  test('a leader has a state, a term and an age', async () => {
    expect(await value('druid_gateway_leader_state{role="overlord"}')).toBe(0);
    expect(await value('druid_gateway_leader_term{role="overlord"}')).toBeUndefined();
    cluster.lead({
      ...serving('overlord', node('a:8090'), 17, now),
      state: 'elected',
      waitReason: 'no_leader',
    });
    now += 2500;
    expect(await value('druid_gateway_leader_state{role="overlord"}')).toBe(1);
    expect(await value('druid_gateway_leader_term{role="overlord"}')).toBe(17);
    expect(await value('druid_gateway_leader_age_seconds{role="overlord"}')).toBe(2.5);
    cluster.lead(serving('overlord', node('a:8090'), 17, now));
    expect(await value('druid_gateway_leader_state{role="overlord"}')).toBe(2);
  });

  test('a change of leader is counted once, through states and gaps without one', async () => {
    const elected = (leader: UpstreamNode, term: number): ElectedLeader => ({
      ...serving('coordinator', leader, term),
      state: 'elected',
      waitReason: 'leader_initialising',
    });
    const changes = 'druid_gateway_leader_changes_total{role="coordinator"}';
    cluster.lead(serving('coordinator', node('a:8081'), 1));
    cluster.lead(elected(node('a:8081'), 1));
    cluster.lead(serving('coordinator', node('a:8081'), null));
    expect(await value(changes)).toBe(0);
    cluster.lead(leaderless('coordinator'));
    cluster.lead(elected(node('b:8081'), 2));
    cluster.lead(serving('coordinator', node('b:8081'), 2));
    expect(await value(changes)).toBe(1);
    cluster.lead(serving('coordinator', node('b:8081'), 5));
    expect(await value(changes)).toBe(2);
  });

  test('conflicts are counted by role', async () => {
    cluster.emit('conflict', { role: 'coordinator', latch: 'a:8081', claims: 'b:8081' });
    expect(await value('druid_gateway_leader_conflicts_total{role="coordinator"}')).toBe(1);
    expect(await value('druid_gateway_leader_conflicts_total{role="overlord"}')).toBe(0);
  });

  test('the labels of a node that left go with it', async () => {
    const [a, b] = [node('a:8082', 2), node('b:8082', 1)];
    const brokers = [
      { node: a, service: 'druid/broker', ready: true, cordoned: false, ejected: false, why: 'ready' },
      { node: b, service: 'druid/hot', ready: false, cordoned: false, ejected: false, why: 'not ready' },
    ];
    cluster.show({ complete: true, brokers, nodes: new Map([a, b].map((n) => [n.origin, n])) });
    expect(await value('druid_gateway_upstream_up{role="broker",service="druid/broker",node="a:8082"}')).toBe(
      1,
    );
    expect(await value('druid_gateway_upstream_up{role="broker",service="druid/hot",node="b:8082"}')).toBe(0);
    expect(await value('druid_gateway_upstream_outstanding{node="a:8082"}')).toBe(2);
    a.traffic.answered(250, false, 1);
    a.traffic.answered(500, true, 1);
    const ofA = '{role="broker",service="druid/broker",node="a:8082"}';
    expect(await value(`druid_gateway_upstream_attempts_total${ofA}`)).toBe(2);
    expect(await value(`druid_gateway_upstream_errors_total${ofA}`)).toBe(1);
    expect(await value(`druid_gateway_upstream_latency_seconds_total${ofA}`)).toBe(0.75);
    expect(await value('druid_gateway_view_complete')).toBe(1);
    cluster.show({ brokers: brokers.slice(0, 1), nodes: new Map([[a.origin, a]]) });
    expect(await metrics.render()).not.toContain('b:8082');
  });

  test('closing lets go of cluster and discovery', () => {
    metrics.close();
    expect(cluster.eventNames()).toEqual([]);
    expect(discovery.eventNames()).toEqual([]);
  });
});

describe('discovery and the process', () => {
  test('discovery has one state at a time, an age, and its session', async () => {
    now += 4000;
    expect(await value('druid_gateway_discovery_age_seconds')).toBe(4);
    discovery.snapshot = { ...discovery.snapshot, readAt: now - 500 };
    discovery.become({ state: 'suspended', since: now, detail: null });
    expect(await value('druid_gateway_discovery_age_seconds')).toBe(0.5);
    expect(await value('druid_gateway_discovery_state{state="suspended"}')).toBe(1);
    expect(await value('druid_gateway_discovery_state{state="connected"}')).toBe(0);
    expect(await value('druid_gateway_zookeeper_session_state{state="suspended"}')).toBe(1);
    expect(await value('druid_gateway_zookeeper_reconnects_total')).toBe(3);
    expect(await value('druid_gateway_zookeeper_watches')).toBe(7);
  });

  test('figures of a source are told while it is one of the sources, whichever is believed', async () => {
    const [session, pods] = [new FakeDiscovery(), new FakeDiscovery()];
    Object.assign(pods, { kind: 'kubernetes', sessionStats: undefined, watchStats: { restarts: 4 } });
    session.become({ state: 'lost', since: now, detail: null });
    const told = async (...sources: FakeDiscovery[]): Promise<string[]> => {
      Object.assign(discovery, { sources });
      const shown = /^druid_gateway_(?:zookeeper|discovery_restarts)\S+ (?!0$).*$/gm;
      return (await metrics.render()).match(shown) ?? [];
    };
    const ofSession = [
      'druid_gateway_zookeeper_session_state{state="lost"} 1',
      'druid_gateway_zookeeper_reconnects_total 3',
      'druid_gateway_zookeeper_watches 7',
    ];
    const ofPods = 'druid_gateway_discovery_restarts_total{source="kubernetes"} 4';
    expect(await told(session)).toEqual(ofSession);
    expect(await told(pods, session)).toEqual([...ofSession, ofPods]);
    expect(await told(pods)).toEqual([ofPods]);
    expect(await metrics.render()).not.toMatch(/^druid_gateway_zookeeper/m);
    expect(await told(session)).toEqual(ofSession);
  });

  test('faults of discovery are counted', async () => {
    discovery.emit('fault', 'a znode cannot be parsed');
    expect(await value('druid_gateway_discovery_faults_total')).toBe(1);
  });

  test('the process tells its version, requests in flight and event-loop lag', async () => {
    expect(await metrics.render()).toMatch(/^druid_gateway_build_info\{version="1\.2\.3",node_version="\d+/m);
    expect(await value('druid_gateway_requests_in_flight')).toBe(4);
    expect(await value('nodejs_eventloop_lag_p99_seconds')).toBeTypeOf('number');
  });
});

test('what requests wait for and are limited by is read when scraped', async () => {
  expect(await value('druid_gateway_running_requests{role="broker"}')).toBe(7);
  expect(await value('druid_gateway_parked_requests{role="broker"}')).toBe(3);
  expect(await value('druid_gateway_queued_requests{role="overlord"}')).toBe(2);
  expect(await value('druid_gateway_retries_refused_total')).toBe(1);
  expect(await value('druid_gateway_overloaded')).toBe(1);
});

test('placements are counted by service and reason, and only where there was something to choose', async () => {
  metrics.record(exchange());
  const placement = { service: 'druid/hot', by: 'rule', rule: 3, fellBack: false } as const;
  metrics.record(exchange({ placement }));
  metrics.record(exchange({ placement: { ...placement, rule: 7 } }));
  metrics.record(exchange({ placement: { ...placement, by: 'manual', rule: null, fellBack: true } }));
  const series = (await metrics.render()).split('\n').filter((line) => /^druid_gateway_placed/.test(line));
  expect(series).toEqual([
    'druid_gateway_placed_requests_total{service="druid/hot",by="rule",fallback="false"} 2',
    'druid_gateway_placed_requests_total{service="druid/hot",by="manual",fallback="true"} 1',
  ]);
  expect(await value('druid_gateway_load_rules_age_seconds')).toBe(12.5);
});

test('workers that ended are counted by why, also for reasons that there have not been', async () => {
  const exits = { fault: 2, killed: 1, stuck: 0, stopped: 3, error: 0 };
  workerMetrics(registry, () => ({ answering: 2, restarts: 6, exits }));
  for (const [reason, count] of Object.entries(exits)) {
    expect(await value(`druid_gateway_worker_exits_total{reason="${reason}"}`)).toBe(count);
  }
});

test('what a reload has changed is what the next scrape shows', async () => {
  const expiry = (file: string): string =>
    `druid_gateway_certificate_expiry_timestamp_seconds{file="${file}"}`;
  expect(await value('druid_gateway_config_last_reload_successful')).toBe(1);
  reloads.certificates.set('/tls/a.pem', 90_000);
  dangers = [{ id: 'internal_paths_open', sentence: '' }];
  reloads.successful = false;
  reloads.succeededAt = 2_500;
  expect(await value('druid_gateway_config_last_reload_successful')).toBe(0);
  expect(await value('druid_gateway_config_last_reload_success_timestamp_seconds')).toBe(2.5);
  expect(await value(expiry('/tls/a.pem'))).toBe(90);
  expect(await value('druid_gateway_dangerous_settings{setting="internal_paths_open"}')).toBe(1);
  dangers = [];
  reloads.certificates.clear();
  expect(await value(expiry('/tls/a.pem'))).toBeUndefined();
  expect(await value('druid_gateway_dangerous_settings{setting="internal_paths_open"}')).toBeUndefined();
});

describe('the history', () => {
  const term = { role: 'coordinator', from: '2026-11-26T10:00:00.000Z', to: null, gapMs: 3_500 } as const;

  test('a gap is counted once, when the term after it begins', async () => {
    const gaps = (role: string): Promise<number | undefined> =>
      value(`druid_gateway_leader_gap_seconds_count{role="${role}"}`);
    expect(await gaps('coordinator')).toBe(0);
    onTerm(term);
    // It ends by mistake, goes on, and ends.
    onTerm({ ...term, to: '2026-11-26T10:01:00.000Z' });
    onTerm(term);
    onTerm({ ...term, to: '2026-11-26T10:02:00.000Z' });
    // Nobody has seen how long there was no leader.
    onTerm({ ...term, from: '2026-11-26T10:03:00.000Z', gapMs: null });
    expect(await gaps('coordinator')).toBe(1);
    expect(await gaps('overlord')).toBe(0);
    expect(await value('druid_gateway_leader_gap_seconds_bucket{le="2.5",role="coordinator"}')).toBe(0);
    expect(await value('druid_gateway_leader_gap_seconds_bucket{le="5",role="coordinator"}')).toBe(1);
    metrics.close();
    onTerm({ ...term, from: '2026-11-26T10:04:00.000Z' });
    expect(await gaps('coordinator')).toBe(1);
  });

  test('what waited, and whether the file is written, is read when scraped', async () => {
    expect(await value('druid_gateway_leader_waits_total{role="overlord",outcome="served"}')).toBe(3);
    expect(await value('druid_gateway_leader_waits_total{role="overlord",outcome="failed"}')).toBe(2);
    expect(await value('druid_gateway_history_terms{role="coordinator"}')).toBe(3);
    expect(await value('druid_gateway_history_last_write_successful')).toBe(1);
    Object.assign(history, { written: false, writtenAt: 4_500 });
    expect(await value('druid_gateway_history_last_write_successful')).toBe(0);
    expect(await value('druid_gateway_history_last_write_success_timestamp_seconds')).toBe(4.5);
  });
});

test('what became of spans is counted, by reason where they were dropped', async () => {
  const counts = { exported: 3, dropped: { queue_full: 1, export_failed: 2, error: 0, shutdown: 0 } };
  spanMetrics(registry, () => counts);
  expect(await value('druid_gateway_spans_exported_total')).toBe(3);
  for (const [reason, count] of Object.entries(counts.dropped)) {
    expect(await value(`druid_gateway_spans_dropped_total{reason="${reason}"}`)).toBe(count);
  }
});

test('docs/operations.md names every metric with its type and labels, and no other', async () => {
  const exits = { fault: 0, killed: 0, stuck: 0, stopped: 0, error: 0 };
  const dropped = { queue_full: 0, export_failed: 0, error: 0, shutdown: 0 };
  spanMetrics(registry, () => ({ exported: 0, dropped }));
  workerMetrics(registry, () => ({ answering: 2, restarts: 0, exits }));
  const text = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const rows = text.matchAll(/^\| `(druid_gateway_\w+)` \| (\w+) \| ([^|]*) \|/gm);
  const documented = Array.from(rows, ([, name, type, labels]) => ({
    name,
    type,
    labels: Array.from((labels ?? '').matchAll(/`(\w+)`/g), ([, label]) => label),
  }));
  const registered = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('druid_gateway_'))
    .map((metric) => ({
      name: metric.name,
      type: String(metric.type),
      labels: 'labelNames' in metric ? metric.labelNames : [],
    }));
  expect(documented).toEqual(registered);
});
