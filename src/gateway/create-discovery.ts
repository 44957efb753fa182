import type { Config } from '../config/schema.ts';
import { createOriginRefusal } from '../discovery/allowed-origins.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { rememberDiscovery } from '../discovery/remembered.ts';
import { createStaticDiscovery } from '../discovery/static.ts';
import { createZooKeeperDiscovery } from '../discovery/zookeeper/discovery.ts';
import type { ZooKeeperTls } from '../discovery/zookeeper/tls.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { ClientTls } from './client-tls.ts';

/** Creates the configured discovery. Throws if the connect string is unusable. */
export function createDiscovery(
  config: Config,
  errors: InternalErrors,
  { options: tls }: Pick<ClientTls<ZooKeeperTls>, 'options'>,
): Discovery {
  if (config.discovery.type === 'static') return createStaticDiscovery(config.static, errors);
  const { connect, sessionTimeout, basePath, coordinatorPath, auth } = config.zookeeper;
  const { snapshotFile, snapshotMaxAge, allow } = config.discovery;
  const refusal = createOriginRefusal(allow);
  const source = createZooKeeperDiscovery({
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

/** The name of the cluster in files that are kept over restarts: those of another cluster are not used. */
export function clusterNameOf({ discovery, static: nodes, zookeeper }: Config): string {
  if (discovery.type === 'zookeeper') {
    return `${zookeeper.connect} ${zookeeper.basePath} ${zookeeper.coordinatorPath}`;
  }
  return ['static', ...nodes.coordinators, ...nodes.overlords].join(' ');
}
