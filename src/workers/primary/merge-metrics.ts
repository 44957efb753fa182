import { AggregatorRegistry } from 'prom-client';
import type { MetricsJson } from '../protocol/messages.ts';

/** One set out of those of several processes: values with the same labels are added, or as the metric says itself. */
export function mergeMetrics(sets: readonly MetricsJson[]): MetricsJson {
  return aggregate(sets).getMetricsAsArray() as unknown as MetricsJson;
}

/** The same in Prometheus' text format. */
export function renderMetrics(sets: readonly MetricsJson[]): Promise<string> {
  return aggregate(sets).metrics();
}

/**
 * Of what a process that has ended had counted, what goes on in the sums of all: without it a counter would fall,
 * which Prometheus takes for a new start. What it was doing ends with it, and its own figures (memory, CPU) carry
 * the label `worker` and begin anew.
 */
export function carriedCounters(metrics: MetricsJson): MetricsJson {
  return metrics.filter(({ name, type }) => name.startsWith('druid_gateway_') && String(type) !== 'gauge');
}

function aggregate(sets: readonly MetricsJson[]) {
  return AggregatorRegistry.aggregate(sets as object[]);
}
