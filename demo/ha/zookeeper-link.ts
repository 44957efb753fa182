import { startProxy, type TcpProxy } from '../../test/kit/net/tcp-proxy.ts';

/** The way from one process to all servers of an ensemble. */
export interface ZooKeeperLink {
  /** What the process takes for the ensemble. */
  readonly connect: string;
  /** From now on nothing passes in either direction, and nobody is told. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
}

export async function startZooKeeperLink(ports: readonly number[]): Promise<ZooKeeperLink> {
  const proxies: TcpProxy[] = await Promise.all(ports.map((port) => startProxy(port)));
  return {
    connect: proxies.map(({ port }) => `127.0.0.1:${port}`).join(','),
    cut() {
      for (const proxy of proxies) proxy.stall();
    },
    restore() {
      for (const proxy of proxies) proxy.flow();
    },
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}
