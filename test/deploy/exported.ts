import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { workerMetrics } from '../../src/metrics/worker-metrics.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery } from '../unit/admin/fakes.ts';

/** Labels that Prometheus adds by itself, or that a scrape of Kubernetes does. */
const OF_PROMETHEUS = ['job', 'instance', 'namespace', '__name__'];
/** Only with several workers. */
const OF_PROCESSES = ['worker'];

/** The series that a gateway exports, by name, with the labels that they can have. */
export async function exportedSeries(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const registry = new Registry();
  const metrics = createMetrics({
    cluster: new FakeCluster(),
    discovery: new FakeDiscovery(),
    registry,
    errors: recordErrors(),
    version: '1.2.3',
    inFlight: () => 0,
    exchange: {
      waitQueue: { waiting: () => 0, queued: () => 0 },
      concurrency: { under: () => 0 },
      bodies: { used: 0 },
      retryBudget: { refusals: 0 },
      pressure: { high: false },
    },
    spans: () => ({ exported: 0, dropped: { queue_full: 0, export_failed: 0, error: 0, shutdown: 0 } }),
    haproxy: () => ({ up: true, commands: 0 }),
    kubernetesFeed: () => ({ up: true, holder: true, writes: 0 }),
    reloads: { successful: true, succeededAt: 0, certificates: new Map() },
    history: {
      onTerm: () => () => {},
      kept: () => 0,
      waits: () => ({ waited: 0, failed: 0 }),
      written: true,
      writtenAt: 0,
    },
  });
  onTestFinished(() => metrics.close());
  const exits = { fault: 0, killed: 0, stuck: 0, stopped: 0, error: 0 };
  workerMetrics(registry, () => ({ answering: 0, restarts: 0, exits }));
  const series = new Map<string, ReadonlySet<string>>([['up', new Set(OF_PROMETHEUS)]]);
  for (const metric of registry.getMetricsAsArray()) {
    const { name } = metric;
    const type = String(metric.type);
    const own = (metric as unknown as { labelNames?: readonly string[] }).labelNames ?? [];
    const labels = [...own, ...OF_PROMETHEUS, ...(name.startsWith('druid_gateway_') ? [] : OF_PROCESSES)];
    if (type === 'histogram') {
      series.set(`${name}_bucket`, new Set([...labels, 'le']));
    }
    const suffixes = type === 'histogram' || type === 'summary' ? ['_sum', '_count'] : [''];
    for (const suffix of suffixes) series.set(`${name}${suffix}`, new Set(labels));
  }
  return series;
}
