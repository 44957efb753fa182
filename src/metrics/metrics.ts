import { setImmediate } from 'node:timers/promises';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Cluster } from '../cluster/cluster.ts';
import type { DangerousSetting } from '../config/dangerous-settings.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { RecordSink } from '../exchange/ports/record.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { RulesSource } from '../routing/tiers/load-rules-source.ts';
import type { SpanCounts } from '../tracing/export-queue.ts';
import type { MetricsJson } from '../workers/protocol/messages.ts';
import { clusterMetrics } from './cluster-metrics.ts';
import { discoveryMetrics } from './discovery-metrics.ts';
import { type ExchangeState, exchangeMetrics, inFlightMetric } from './exchange-metrics.ts';
import { type HaproxyObserved, haproxyMetrics } from './haproxy-metrics.ts';
import { type HistoryObserved, historyMetrics } from './history-metrics.ts';
import { internalErrorMetrics } from './internal-error-metrics.ts';
import { type KubernetesFeedObserved, kubernetesFeedMetrics } from './kubernetes-feed-metrics.ts';
import { placementMetrics } from './placement-metrics.ts';
import { type ReloadsObserved, reloadMetrics } from './reload-metrics.ts';
import { spanMetrics } from './span-metrics.ts';
import { TRAFFIC_METRICS, trafficMetrics } from './traffic-metrics.ts';

export interface MetricsOptions {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  readonly version: string;
  /** A new registry by default, so two gateways in one process do not collide. */
  readonly registry?: Registry;
  /** Requests being answered right now, parked ones included. */
  readonly inFlight?: () => number;
  readonly exchange?: ExchangeState;
  /** Value of the label `worker` on the process metrics, if several processes export them. */
  readonly worker?: string;
  /** The Coordinator's load rules, if they are read. */
  readonly rules?: Pick<RulesSource, 'ageMs'> | null;
  /** What became of spans, if this process makes any. */
  readonly spans?: (() => SpanCounts) | null;
  /** Dangerous settings in use; none by default. */
  readonly dangers?: () => readonly DangerousSetting[];
  /** What came of changes of the configuration, if they are taken up. */
  readonly reloads?: ReloadsObserved;
  /** The record of who led, if there is one. */
  readonly history?: HistoryObserved;
  /** The feed of HAProxy, if there is one. */
  readonly haproxy?: (() => HaproxyObserved) | null;
  /** The feed of EndpointSlices, if there is one. */
  readonly kubernetesFeed?: (() => KubernetesFeedObserved) | null;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

export interface Metrics {
  readonly record: RecordSink;
  readonly contentType: string;
  /** Renders all metrics in Prometheus' text format. */
  render(): Promise<string>;
  /** Reads the metrics that a `TrafficWindow` takes. */
  sampleTraffic(): Promise<MetricsJson>;
  /** Removes the listeners on cluster, discovery and history. */
  close(): void;
}

/**
 * The metrics of one gateway, as documented in docs/operations.md. No label has a value that a client can choose:
 * no path, user, address or method.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const {
    cluster,
    discovery,
    errors,
    version,
    inFlight,
    exchange,
    worker,
    rules = null,
    spans = null,
    dangers = () => [],
    reloads,
    history,
    haproxy = null,
    kubernetesFeed = null,
    now = Date.now,
  } = options;
  const { registry = new Registry() } = options;
  const registers = [registry];
  const record = recordMetrics(registry, rules);
  const leaveCluster = clusterMetrics({ registry, cluster, now });
  const leaveDiscovery = discoveryMetrics({ registry, discovery, now });
  if (exchange !== undefined) exchangeMetrics(registry, exchange);
  if (inFlight !== undefined) inFlightMetric(registry, inFlight);
  new Gauge({
    name: 'druid_gateway_build_info',
    help: '1, with the version of the gateway and of Node.js.',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version, node_version: process.versions.node }, 1);
  new Gauge({
    name: 'druid_gateway_dangerous_settings',
    help: '1 for each setting of the configuration that opens something; the log says what.',
    labelNames: ['setting'],
    registers,
    collect() {
      this.reset();
      for (const { id } of dangers()) this.set({ setting: id }, 1);
    },
  });
  if (spans !== null) spanMetrics(registry, spans);
  if (reloads !== undefined) reloadMetrics(registry, reloads);
  const leaveHistory = history === undefined ? () => {} : historyMetrics(registry, history);
  if (haproxy !== null) haproxyMetrics(registry, haproxy);
  if (kubernetesFeed !== null) kubernetesFeedMetrics(registry, kubernetesFeed);
  internalErrorMetrics(registry, errors);
  processMetrics(registry, worker);
  return {
    record,
    contentType: registry.contentType,
    render: () => renderByTurns(registry),
    sampleTraffic: () =>
      Promise.all(Object.values(TRAFFIC_METRICS).map((name) => readMetric(registry, name))),
    close: () => {
      leaveCluster();
      leaveDiscovery();
      leaveHistory();
    },
  };
}

/** As `registry.metrics`, one metric a turn of the event loop: with thousands of Brokers all take a quarter of a second. */
async function renderByTurns(registry: Registry): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    texts.push(await registry.getSingleMetricAsString(name));
    await setImmediate();
  }
  return `${texts.join('\n\n')}\n`;
}

/** Reads one metric alone: the gauges of a large cluster have thousands of series. */
function readMetric(registry: Registry, name: string): Promise<MetricsJson[number]> {
  const metric = registry.getSingleMetric(name) as { get(): Promise<MetricsJson[number]> } | undefined;
  if (metric === undefined) throw new Error(`the metric ${name} is not registered`);
  return metric.get();
}

const TRAFFIC_NAMES: ReadonlySet<string> = new Set(Object.values(TRAFFIC_METRICS));

/** Picks the metrics that a `TrafficWindow` takes. */
export function trafficOf(metrics: MetricsJson): MetricsJson {
  return metrics.filter(({ name }) => TRAFFIC_NAMES.has(name));
}

/** Registers the metrics computed from records and returns the sink that feeds them. */
export function recordMetrics(registry: Registry, rules: Pick<RulesSource, 'ageMs'> | null): RecordSink {
  const traffic = trafficMetrics(registry);
  const placement = placementMetrics(registry, rules);
  return (record) => {
    traffic(record);
    placement(record);
  };
}

/**
 * Gauges of prom-client whose names end like those of counters, which `promtool check metrics` refuses. Each has a twin
 * with a series for each type, and they are its sum.
 */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
] as const;

/** Registers the metrics of this process: CPU, memory, garbage collection, the event loop's lag. */
export function processMetrics(registry: Registry, worker?: string): void {
  collectDefaultMetrics({
    register: registry,
    // For nodejs_eventloop_lag_p50/p99/max_seconds, from monitorEventLoopDelay.
    eventLoopMonitoringPrecision: 20,
    ...(worker === undefined ? {} : { labels: { worker } }),
  });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
}
