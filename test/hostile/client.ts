import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { unchunk } from '../kit/upstream/fake-upstream.ts';

/** How a client leaves: with a reset, or by saying that nothing more comes while it still reads. */
export type Departure = 'reset' | 'half-close';

export interface Client {
  /** Everything received so far, one character an octet. */
  received(): string;
  send(bytes: Buffer): void;
  leave(departure: Departure): void;
  /** Whether the connection is over within this time. */
  closedWithin(milliseconds: number): Promise<boolean>;
  /** Resolves when the connection is over, or as soon as this holds of what was received. */
  until(holds: (received: string) => boolean, milliseconds: number): Promise<void>;
  readonly closed: boolean;
  destroy(): void;
}

/** Null where nobody listens, or the connection ended before it was there. */
export async function connect(port: number, overTls: boolean): Promise<Client | null> {
  const raw = net.connect({ port, host: '127.0.0.1', noDelay: true });
  raw.on('error', () => {});
  const stream = overTls ? tls.connect({ socket: raw, rejectUnauthorized: false }) : raw;
  stream.on('error', () => {});
  const chunks: string[] = [];
  let text = '';
  let closed = false;
  const wakes = new Set<() => void>();
  const wake = (): void => {
    for (const each of [...wakes]) each();
  };
  stream.on('data', (data: Buffer) => {
    chunks.push(data.toString('latin1'));
    wake();
  });
  // A reset of the socket below does not always reach the encrypted stream.
  for (const each of [raw, stream]) {
    each.once('close', () => {
      closed = true;
      wake();
    });
  }
  const there = new Promise<boolean>((resolve) => {
    stream.once(overTls ? 'secureConnect' : 'connect', () => resolve(true));
    wakes.add(() => resolve(!closed));
  });
  const connected = await there;
  wakes.clear();
  if (!connected) return null;

  const received = (): string => {
    text += chunks.join('');
    chunks.length = 0;
    return text;
  };
  const until = async (holds: (text: string) => boolean, milliseconds: number): Promise<void> => {
    const deadline = performance.now() + milliseconds;
    while (!closed && !holds(received())) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          wakes.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left);
        wakes.add(done);
      });
    }
  };
  return {
    received,
    send: (bytes) => void stream.write(bytes),
    leave(departure) {
      if (departure === 'reset') raw.resetAndDestroy();
      else stream.end();
    },
    async closedWithin(milliseconds) {
      await until(() => false, milliseconds);
      return closed;
    },
    until,
    get closed() {
      return closed;
    },
    destroy() {
      // Node does not survive that an encrypted stream is destroyed whose socket has just been reset.
      if (!raw.destroyed) stream.destroy();
    },
  };
}

/** The answers in what a client received to requests of this method, as far as they are whole. */
export function answersIn(
  received: string,
  method = 'GET',
  ended = false,
): { statuses: string[]; rest: string } {
  const statuses: string[] = [];
  let rest = received;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return { statuses, rest };
    const head = rest.slice(0, end + 2);
    const [, status = ''] = /^HTTP\/1\.1 (\S*)/.exec(head) ?? [];
    const after = rest.slice(end + 4);
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
    let consumed = 0;
    if (/^1\d\d$/.test(status) || status === '204' || status === '304' || method === 'HEAD') {
      // No body, whatever the headers say.
    } else if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      const decoded = unchunk(Buffer.from(after, 'latin1'));
      if (decoded === null) return { statuses, rest };
      consumed = decoded.consumed;
    } else if (length !== undefined) {
      consumed = Number(length);
      if (after.length < consumed) return { statuses, rest };
    } else {
      if (!ended) return { statuses, rest };
      consumed = after.length;
    }
    if (status === '101' || !/^1\d\d$/.test(status)) statuses.push(status);
    rest = after.slice(consumed);
  }
}

/** Does all of them, so many at a time. */
export async function concurrently<T>(
  list: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const items = list[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = items.next(); next.done !== true; next = items.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** The bytes with which a client of TLS begins. */
export async function clientHello(): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  socket.on('error', () => {});
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

export const pause = (milliseconds: number): Promise<void> => sleep(milliseconds);
