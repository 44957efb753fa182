import type { Cluster } from '../cluster/cluster.ts';
import { createCluster } from '../cluster/discovered-cluster.ts';
import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { createUpstreamProbes } from '../upstream/probes.ts';
import type { ClientTls } from './client-tls.ts';

/** Creates the cluster that probes discovered nodes, as configured. */
export function createDiscoveredCluster(
  config: Config,
  discovery: Discovery,
  errors: InternalErrors,
  { options: tls }: Pick<ClientTls<NodeTls>, 'options'>,
): Cluster {
  const { leadership, health } = config;
  return createCluster({
    discovery,
    errors,
    probeClient: createUpstreamProbes(errors),
    leaderProbeIntervalMs: leadership.probeInterval,
    leaderProbeTimeoutMs: leadership.probeTimeout,
    leaderConfirmIntervalMs: leadership.confirmInterval,
    brokerProbeTimeoutMs: health.brokerProbeTimeout,
    brokerHealth: {
      probeIntervalMs: health.brokerProbeInterval,
      outlier: {
        failures: health.outlier.failures,
        ejectionMs: health.outlier.ejection,
        maxEjectionMs: health.outlier.maxEjection,
      },
      maxEjectedShare: health.outlier.maxEjectedShare,
      slowStartMs: health.slowStart,
      emptyGraceMs: health.emptyGrace,
    },
    ...tls,
  });
}
