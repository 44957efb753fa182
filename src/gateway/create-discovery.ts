import type { Config } from '../config/schema.ts';
import { createOriginRefusal, type OriginRefusal } from '../discovery/allowed-origins.ts';
import { type ConsulDiscoveryOptions, createConsulDiscovery } from '../discovery/consul/discovery.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { createKubernetesDiscovery } from '../discovery/kubernetes/discovery.ts';
import { rememberDiscovery } from '../discovery/remembered.ts';
import { createStaticDiscovery } from '../discovery/static.ts';
import { createZooKeeperDiscovery } from '../discovery/zookeeper/discovery.ts';
import type { ZooKeeperTls } from '../discovery/zookeeper/tls.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { ClientTls } from './client-tls.ts';
import { kubernetesTarget } from './kubernetes-target.ts';

/** Creates the configured discovery. Throws an Error of one sentence if its settings are unusable. */
export function createDiscovery(
  config: Config,
  errors: InternalErrors,
  { options: tls }: Pick<ClientTls<ZooKeeperTls>, 'options'>,
): Discovery {
  if (config.discovery.type === 'static') return createStaticDiscovery(config.static, errors);
  const { snapshotFile, snapshotMaxAge, allow, type } = config.discovery;
  const refusal = createOriginRefusal(allow);
  const source =
    type === 'kubernetes'
      ? createKubernetesDiscovery({ ...kubernetesTarget(config), refusal, errors })
      : type === 'consul'
        ? createConsulDiscovery({ ...consulTarget(config), refusal, errors })
        : zooKeeperSource(config, refusal, errors, tls);
  if (snapshotFile === undefined) return source;
  return rememberDiscovery({
    source,
    file: snapshotFile,
    cluster: clusterNameOf(config),
    maxAgeMs: snapshotMaxAge,
    refusal,
    errors,
  });
}

/** Throws an Error of one sentence if there is no such section. */
export function consulTarget({
  consul,
}: Pick<Config, 'consul'>): Omit<ConsulDiscoveryOptions, 'errors' | 'refusal'> {
  if (consul === undefined) throw new Error('consul.servicePrefix is missing');
  const { servicePrefix, datacenter, coordinatorKey, overlordKey, server, tokenFile, caFile } = consul;
  return {
    server: server.replace(/\/+$/, ''),
    tokenFile: tokenFile ?? null,
    caFile: caFile ?? null,
    servicePrefix,
    leaderKeys: { coordinator: coordinatorKey, overlord: overlordKey },
    ...(datacenter === undefined ? {} : { datacenter }),
  };
}

function zooKeeperSource(
  { zookeeper }: Config,
  refusal: OriginRefusal,
  errors: InternalErrors,
  tls: ClientTls<ZooKeeperTls>['options'],
): Discovery {
  const { connect, sessionTimeout, basePath, coordinatorPath, auth } = zookeeper;
  return createZooKeeperDiscovery({
    connect,
    sessionTimeoutMs: sessionTimeout,
    basePath,
    coordinatorPath,
    refusal,
    errors,
    ...(auth?.password === undefined
      ? {}
      : { auth: { scheme: auth.scheme, user: auth.user, password: auth.password } }),
    ...tls,
  });
}

/** The name of the cluster in files that are kept over restarts: those of another cluster are not used. */
export function clusterNameOf({ discovery, static: nodes, zookeeper, kubernetes, consul }: Config): string {
  if (discovery.type === 'zookeeper') {
    return `${zookeeper.connect} ${zookeeper.basePath} ${zookeeper.coordinatorPath}`;
  }
  if (discovery.type === 'kubernetes') {
    return `kubernetes ${kubernetes?.namespace ?? ''} ${kubernetes?.clusterIdentifier ?? ''}`;
  }
  if (discovery.type === 'consul') {
    return `consul ${consul?.datacenter ?? ''} ${consul?.servicePrefix ?? ''} ${consul?.coordinatorKey ?? ''}`;
  }
  return ['static', ...nodes.coordinators, ...nodes.overlords].join(' ');
}
