import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import { prepareTls, type ZooKeeperTls } from '../discovery/zookeeper/tls.ts';
import { upstreamTls, zookeeperTls } from './tls-files.ts';

/** TLS of the gateway as a client, with the content of its files as last read. */
export interface ClientTls<T> {
  /** To spread into other options. Who connects reads them at each connection. */
  readonly options: { readonly tls?: T };
  /**
   * Reads the files again. Throws an Error of one sentence if one is unusable; else returns what takes them up, for
   * connections that begin from then on.
   */
  read(): () => void;
}

/** Reads the files of `upstream.tls`. Throws an Error of one sentence if one is unusable. */
export function readNodeTls({ upstream: { tls } }: Config): ClientTls<NodeTls> {
  return clientTls(tls === undefined ? null : () => upstreamTls(tls));
}

/** Reads the files of `zookeeper.tls`. Throws an Error of one sentence if one is unusable. */
export function readZooKeeperTls({ zookeeper: { tls } }: Config): ClientTls<ZooKeeperTls> {
  if (tls === undefined) return clientTls(null);
  return clientTls(() => {
    const read = zookeeperTls(tls);
    prepareTls(read);
    return read;
  });
}

function clientTls<T extends object>(read: (() => T) | null): ClientTls<T> {
  if (read === null) return { options: {}, read: () => () => {} };
  const tls = read();
  return {
    options: { tls },
    read() {
      const now = read();
      return () => void Object.assign(tls, now);
    },
  };
}
