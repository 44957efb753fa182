import { AggregatorRegistry } from 'prom-client';
import type { MetricsJson } from '../protocol/messages.ts';

/**
 * Merges the metrics of several processes. Values with equal labels are added, unless the metric names another
 * aggregator.
 */
export function mergeMetrics(sets: readonly MetricsJson[]): MetricsJson {
  return aggregate(sets).getMetricsAsArray() as unknown as MetricsJson;
}

/** Merges like `mergeMetrics`, into Prometheus' text format. */
export function renderMetrics(sets: readonly MetricsJson[]): Promise<string> {
  return aggregate(sets).metrics();
}

/**
 * Picks the counters and histograms of an ended process, which stay in the sums. Without them a counter would fall,
 * which Prometheus takes for a restart. Gauges end with the process. The process metrics (memory, CPU) carry the
 * label `worker` and start from zero again.
 */
export function carriedCounters(metrics: MetricsJson): MetricsJson {
  return metrics.filter(({ name, type }) => name.startsWith('druid_gateway_') && String(type) !== 'gauge');
}

function aggregate(sets: readonly MetricsJson[]) {
  return AggregatorRegistry.aggregate(sets as object[]);
}
