import { once } from 'node:events';
import net from 'node:net';

/** A link between a client and a server on loopback that can be made to fail in every way that a link fails. */
export interface TcpProxy {
  /** Its port on loopback. */
  readonly port: number;
  /** Connections that go through it now. */
  readonly open: number;
  /** Connections whose clients have not ended them; the server may take its time. */
  readonly clients: number;
  /** Connections that were made to it so far, those that it reset included. */
  readonly made: number;
  /** Resets all connections. */
  cut(): void;
  /** From now on nothing passes in either direction, and new connections are accepted and say nothing. */
  stall(): void;
  /** Everything passes again, what was held back first. */
  flow(): void;
  /** Every piece is passed on so many milliseconds later. */
  delay(ms: number): void;
  /** Ends the direction from the server, or from the client, and leaves the other one open. */
  halfClose(from: 'client' | 'server'): void;
  /** True: new connections are reset as soon as they are made. */
  drop(on: boolean): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: net.Socket;
  readonly server: net.Socket;
}

export async function startProxy(target: number, host = '127.0.0.1'): Promise<TcpProxy> {
  const links = new Set<Link>();
  let stalled = false;
  let dropping = false;
  let delayMs = 0;
  const clients = new Set<net.Socket>();
  let made = 0;

  function pass(from: net.Socket, to: net.Socket): void {
    from.on('data', (data: Buffer) => {
      if (delayMs === 0) {
        if (!to.write(data)) from.pause();
      } else {
        setTimeout(() => to.writable && to.write(data), delayMs);
      }
    });
    to.on('drain', () => {
      if (!stalled) from.resume();
    });
    from.on('end', () => setTimeout(() => to.writable && to.end(), delayMs));
    from.on('error', () => {});
    if (stalled) from.pause();
  }

  const listener = net.createServer({ allowHalfOpen: true }, (client) => {
    made++;
    if (dropping) {
      client.resetAndDestroy();
      return;
    }
    const server = net.connect({ port: target, host, allowHalfOpen: true });
    const link = { client, server };
    links.add(link);
    clients.add(client);
    for (const event of ['end', 'close'] as const) client.on(event, () => clients.delete(client));
    pass(client, server);
    pass(server, client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('close', (failed) => {
        links.delete(link);
        if (failed) other.resetAndDestroy();
        else other.destroySoon();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as net.AddressInfo).port,
    get open() {
      return links.size;
    },
    get clients() {
      return clients.size;
    },
    get made() {
      return made;
    },
    cut() {
      for (const { client, server } of links) {
        client.resetAndDestroy();
        server.resetAndDestroy();
      }
    },
    stall() {
      stalled = true;
      for (const { client, server } of links) {
        client.pause();
        server.pause();
      }
    },
    flow() {
      stalled = false;
      for (const { client, server } of links) {
        client.resume();
        server.resume();
      }
    },
    delay(ms) {
      delayMs = ms;
    },
    halfClose(from) {
      for (const { client, server } of links) (from === 'server' ? client : server).end();
    },
    drop(on) {
      dropping = on;
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const { client, server } of links) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
}
