import { createAddressSet } from '../net/address-set.ts';
import { isTree, type Path, valueAt } from './schema-walk.ts';

const isLoopback = createAddressSet(['127.0.0.0/8', '::1']);

/** Whether only this machine can reach a listener on `host`. A name other than localhost may point anywhere. */
export function isLocal(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback(host);
}

/**
 * Validates the listeners of a tree that fits the schema: reports settings that leave it to chance who may be a
 * client. Calls `add` with each problem's path.
 */
export function validateListeners(tree: unknown, add: (path: Path, what: string) => void): void {
  for (const section of ['listen', 'admin']) {
    const tls = valueAt(tree, [section, 'tls']);
    if (!isTree(tls)) continue;
    const asks = tls.requireClientCertificate === true;
    if (asks && tls.caFile === undefined) {
      add(
        [section, 'tls', 'requireClientCertificate'],
        'needs caFile; without it the certificate of any public authority would do',
      );
    }
    if (!asks && tls.caFile !== undefined) {
      add(
        [section, 'tls', 'caFile'],
        'is not used without requireClientCertificate: true, and no client is asked for a certificate',
      );
    }
  }
  const host = String(valueAt(tree, ['admin', 'listen', 'host']));
  const guarded =
    valueAt(tree, ['admin', 'tokenFile']) !== undefined ||
    valueAt(tree, ['admin', 'tls', 'requireClientCertificate']) === true;
  if (!guarded && !isLocal(host)) {
    add(
      ['admin', 'listen', 'host'],
      `lets other machines act on Brokers, as ${host} is no loopback address; give admin.tokenFile or ` +
        'admin.tls with requireClientCertificate, or listen on 127.0.0.1 and give probes and scrapes admin.health.listen',
    );
  }
}
