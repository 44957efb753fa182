import type { Config } from '../config/schema.ts';
import { createOriginRefusal } from '../discovery/allowed-origins.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { rememberDiscovery } from '../discovery/remembered.ts';
import { createStaticDiscovery } from '../discovery/static.ts';
import { createZooKeeperDiscovery } from '../discovery/zookeeper/discovery.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { zookeeperTls } from './tls-files.ts';

/** Creates the configured discovery. Throws if its TLS files or the connect string are unusable. */
export function createDiscovery(config: Config, errors: InternalErrors): Discovery {
  if (config.discovery.type === 'static') return createStaticDiscovery(config.static, errors);
  const { connect, sessionTimeout, basePath, coordinatorPath, auth, tls } = config.zookeeper;
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
    ...(tls === undefined ? {} : { tls: zookeeperTls(tls) }),
  });
  if (snapshotFile === undefined) return source;
  return rememberDiscovery({
    source,
    file: snapshotFile,
    cluster: `${connect} ${basePath} ${coordinatorPath}`,
    maxAgeMs: snapshotMaxAge,
    refusal,
    errors,
  });
}
