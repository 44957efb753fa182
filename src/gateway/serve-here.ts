import type { Logger } from 'pino';
import type { Liveness } from '../admin/liveness.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { DangerousSetting } from '../config/dangerous-settings.ts';
import type { Config } from '../config/schema.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { type LeaderWaits, leaderWaitsOf } from '../exchange/leader-waits.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { HaproxyObserved } from '../metrics/haproxy-metrics.ts';
import type { HistoryObserved } from '../metrics/history-metrics.ts';
import type { KubernetesFeedObserved } from '../metrics/kubernetes-feed-metrics.ts';
import { createMetrics } from '../metrics/metrics.ts';
import type { ReloadsObserved } from '../metrics/reload-metrics.ts';
import { createServing } from './create-serving.ts';
import type { Servers } from './servers.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly logger: Logger;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Where the state of worker processes is reported. */
  readonly liveness: Liveness;
  readonly version: string;
  /** The dangerous settings in use, for a metric. */
  readonly dangers: () => readonly DangerousSetting[];
  /** What came of changes of the configuration, for metrics. */
  readonly reloads: ReloadsObserved;
  /** The record of who led, for metrics. */
  readonly history: HistoryObserved;
  /** The feed of HAProxy, for metrics; null if there is none. */
  readonly haproxy: (() => HaproxyObserved) | null;
  /** The feed of EndpointSlices, for metrics; null if there is none. */
  readonly kubernetesFeed: (() => KubernetesFeedObserved) | null;
  /** Called with the requests that have ended and had waited for a leader. */
  readonly onLeaderWaits: (waits: LeaderWaits) => void;
}

/** Serves from this process. Throws as `createServing` does. */
export function serveHere({
  config,
  cluster,
  discovery,
  logger,
  errors,
  version,
  dangers,
  reloads,
  history,
  haproxy,
  kubernetesFeed,
  onLeaderWaits,
}: ServeOptions): Servers {
  const serving = createServing({
    config,
    cluster,
    logger,
    errors,
    sink(record) {
      metrics.record(record);
      const waits = leaderWaitsOf(record);
      if (waits !== null) onLeaderWaits(waits);
    },
  });
  const metrics = createMetrics({
    cluster,
    discovery,
    errors,
    version,
    dangers,
    reloads,
    history,
    haproxy,
    kubernetesFeed,
    inFlight: () => serving.inFlight,
    exchange: serving.state,
    rules: serving.rules,
    spans: serving.spans,
  });
  return {
    listen: () => serving.listen(),
    async stop() {
      await serving.stop();
      metrics.close();
    },
    async reload(changed) {
      serving.reload(changed);
      return [];
    },
    metrics,
    // Counts of this process are always current.
    refresh: async () => true,
    workers: () => null,
    explain: async (question) => serving.explain(question),
    setLogLevel() {},
  };
}
