import type { Config } from '../config/schema.ts';
import { createOriginRefusal, type OriginRefusal } from '../discovery/allowed-origins.ts';
import { type ConsulDiscoveryOptions, createConsulDiscovery } from '../discovery/consul/discovery.ts';
import type { Discovery, SourceKind } from '../discovery/discovery.ts';
import { createDnsDiscovery, type DnsDiscoveryOptions } from '../discovery/dns.ts';
import { createDiscoveryInOrder } from '../discovery/in-order.ts';
import { createKubernetesDiscovery } from '../discovery/kubernetes/discovery.ts';
import { type RememberOptions, rememberDiscovery } from '../discovery/remembered.ts';
import { createStaticDiscovery } from '../discovery/static.ts';
import { createZooKeeperDiscovery } from '../discovery/zookeeper/discovery.ts';
import type { ZooKeeperTls } from '../discovery/zookeeper/tls.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { ClientTls } from './client-tls.ts';
import { kubernetesTarget } from './kubernetes-target.ts';

/** What a source does with the snapshot file, where there is one. */
export type SnapshotUse = Pick<RememberOptions, 'reads' | 'writes'>;

/** Creates the configured discovery. Throws an Error of one sentence if its settings are unusable. */
export function createDiscovery(
  config: Config,
  errors: InternalErrors,
  { options: tls }: Pick<ClientTls<ZooKeeperTls>, 'options'>,
  use: SnapshotUse,
): Discovery {
  const { type, fallback } = config.discovery;
  const first = remembered(config, createSource(type, config, errors, tls), errors, use);
  if (fallback.length === 0) return first;
  const others = fallback.map((other) => createSource(other, config, errors, tls));
  return createDiscoveryInOrder([first, ...others], errors);
}

function createSource(
  type: SourceKind,
  config: Config,
  errors: InternalErrors,
  tls: ClientTls<ZooKeeperTls>['options'],
): Discovery {
  const refusal = createOriginRefusal(config.discovery.allow);
  switch (type) {
    case 'static':
      return createStaticDiscovery(config.static, errors);
    case 'kubernetes':
      return createKubernetesDiscovery({ ...kubernetesTarget(config), refusal, errors });
    case 'dns':
      return createDnsDiscovery({ ...dnsTarget(config), refusal, errors });
    case 'consul':
      return createConsulDiscovery({ ...consulTarget(config), refusal, errors });
    case 'zookeeper':
      return zooKeeperSource(config, refusal, errors, tls);
  }
}

/** With the memory of its last run, if that is configured and there is something to remember. */
function remembered(config: Config, source: Discovery, errors: InternalErrors, use: SnapshotUse): Discovery {
  const { snapshotFile, snapshotMaxAge, allow } = config.discovery;
  if (snapshotFile === undefined || source.kind === 'static' || source.kind === 'dns') return source;
  return rememberDiscovery({
    source,
    file: snapshotFile,
    cluster: clusterNameOf(config),
    maxAgeMs: snapshotMaxAge,
    refusal: createOriginRefusal(allow),
    errors,
    ...use,
  });
}

/** What the section `dns` names. */
export function dnsTarget({
  dns: { coordinators, overlords, brokers, scheme, interval, servers },
}: Pick<Config, 'dns'>): Omit<DnsDiscoveryOptions, 'errors' | 'refusal'> {
  return {
    names: [
      ...coordinators.map((name) => ({ role: 'coordinator', name, service: 'druid/coordinator' }) as const),
      ...overlords.map((name) => ({ role: 'overlord', name, service: 'druid/overlord' }) as const),
      ...brokers.map((broker) => ({ role: 'broker', ...broker }) as const),
    ],
    scheme,
    intervalMs: interval,
    servers,
  };
}

/** Throws an Error of one sentence if there is no such section. */
export function consulTarget({
  consul,
}: Pick<Config, 'consul'>): Omit<ConsulDiscoveryOptions, 'errors' | 'refusal'> {
  if (consul === undefined) throw new Error('consul.servicePrefix is missing');
  const { servicePrefix, datacenter, coordinatorKey, overlordKey, server, tokenFile, caFile } = consul;
  const { certFile, keyFile } = consul;
  return {
    server: server.replace(/\/+$/, ''),
    tokenFile: tokenFile ?? null,
    caFile: caFile ?? null,
    servicePrefix,
    leaderKeys: { coordinator: coordinatorKey, overlord: overlordKey },
    ...(datacenter === undefined ? {} : { datacenter }),
    ...(certFile === undefined || keyFile === undefined ? {} : { client: { certFile, keyFile } }),
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
export function clusterNameOf({
  discovery,
  dns,
  static: nodes,
  zookeeper,
  kubernetes,
  consul,
}: Config): string {
  if (discovery.type === 'zookeeper') {
    return `${zookeeper.connect} ${zookeeper.basePath} ${zookeeper.coordinatorPath}`;
  }
  if (discovery.type === 'kubernetes') {
    return `kubernetes ${kubernetes?.namespace ?? ''} ${kubernetes?.clusterIdentifier ?? ''}`;
  }
  if (discovery.type === 'consul') {
    return `consul ${consul?.datacenter ?? ''} ${consul?.servicePrefix ?? ''} ${consul?.coordinatorKey ?? ''}`;
  }
  if (discovery.type === 'dns') return ['dns', ...dns.coordinators, ...dns.overlords].join(' ');
  return ['static', ...nodes.coordinators, ...nodes.overlords].join(' ');
}
