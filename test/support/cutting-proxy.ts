import { once } from 'node:events';
import net from 'node:net';

export interface CuttingProxy {
  /** Its port on loopback. */
  readonly port: number;
  /** Resets all connections that go through it. */
  cut(): void;
  close(): Promise<void>;
}

/** Passes TCP connections on to a port on loopback until it is told to cut them. */
export async function startProxy(target: number): Promise<CuttingProxy> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect({ port: target, host: '127.0.0.1' });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
