import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { OVER_TLS } from '../gateway/door.ts';
import { unchunk } from '../upstream/fake-upstream.ts';

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** Header lines as received. */
  readonly lines: readonly string[];
  header(name: string): string | undefined;
  /** All values of a header, in order. */
  headers(name: string): string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
  json(): Record<string, unknown>;
}

/** A client on a bare socket: sends exactly what it is told, reads answers one after the other. */
export interface RawClient {
  readonly socket: net.Socket;
  /** Everything received and not yet taken as an answer. */
  received(): Buffer;
  send(data: string | Buffer): void;
  /** The next answer; rejects if the connection ends before it is whole. */
  answer(options?: { readonly head?: boolean }): Promise<RawAnswer>;
  /** Resolves with `reset` or `end` when the connection is over. */
  ended(): Promise<'reset' | 'end'>;
  close(): void;
}

export async function connectRaw(port: number): Promise<RawClient> {
  const socket = await connected(port);
  let chunks: Buffer[] = [];
  let over: 'reset' | 'end' | null = null;
  let wake = (): void => {};
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const buffered = (): Buffer => {
    const [first] = chunks;
    if (chunks.length === 1 && first !== undefined) return first;
    const whole = Buffer.concat(chunks);
    chunks = [whole];
    return whole;
  };
  // A large body is looked at when its expected length may be there, not with every piece of it.
  let awaited = 0;
  let size = 0;
  socket.on('data', (data: Buffer) => {
    chunks.push(data);
    size += data.length;
    if (size >= awaited) wake();
  });
  socket.on('error', () => {
    over = 'reset';
    wake();
  });
  socket.on('close', () => {
    over ??= 'end';
    wake();
  });
  return {
    socket,
    received: buffered,
    send: (data) => void socket.write(data),
    async answer({ head = false } = {}) {
      for (;;) {
        const found = parseAnswer(buffered(), head, over !== null);
        if (found !== null) {
          const rest = Buffer.from(buffered().subarray(found.consumed));
          chunks = [rest];
          size = rest.length;
          awaited = 0;
          if (found.answer.status >= 200) return found.answer;
          continue;
        }
        if (over !== null)
          throw new Error(`the connection ended (${over}) after ${buffered().toString('latin1')}`);
        const length = /\r\ncontent-length: (\d+)\r\n/i.exec(
          buffered().subarray(0, 65_536).toString('latin1'),
        );
        awaited = length === null || head ? 0 : Number(length[1]);
        await changed();
      }
    },
    async ended() {
      while (over === null) await changed();
      return over;
    },
    close: () => void socket.destroy(),
  };
}

async function connected(port: number): Promise<net.Socket> {
  const place = { port, host: '127.0.0.1' };
  if (!OVER_TLS) {
    const socket = net.connect(place);
    await once(socket, 'connect');
    return socket;
  }
  const socket = tls.connect({ ...place, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

/** One request on a connection of its own. */
export async function exchangeRaw(port: number, data: string | Buffer): Promise<RawAnswer> {
  const client = await connectRaw(port);
  client.send(data);
  try {
    return await client.answer({ head: Buffer.from(data).subarray(0, 5).toString() === 'HEAD ' });
  } finally {
    client.close();
  }
}

function parseAnswer(
  raw: Buffer,
  bodiless: boolean,
  ended: boolean,
): { answer: RawAnswer; consumed: number } | null {
  const end = raw.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [statusLine = '', ...lines] = raw.subarray(0, end).toString('latin1').split('\r\n');
  const [, code = '0', ...reason] = statusLine.split(' ');
  const status = Number(code);
  const headers = (name: string): string[] =>
    lines
      .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(name.length + 1).trim());
  const rest = raw.subarray(end + 4);
  let body = Buffer.alloc(0);
  let consumed = 0;
  let trailers: string[] = [];
  const length = headers('content-length')[0];
  if (status < 200 || bodiless || status === 204 || status === 304) {
    // No body, whatever the headers say.
  } else if (headers('transfer-encoding')[0] === 'chunked') {
    const decoded = unchunk(rest);
    if (decoded === null) return null;
    ({ body, consumed, trailers } = decoded);
  } else if (length !== undefined) {
    consumed = Number(length);
    if (rest.length < consumed) return null;
    body = Buffer.from(rest.subarray(0, consumed));
  } else {
    if (!ended) return null;
    consumed = rest.length;
    body = Buffer.from(rest);
  }
  const answer: RawAnswer = {
    status,
    reason: reason.join(' '),
    lines,
    header: (name) => headers(name)[0],
    headers,
    body,
    trailers,
    json: () => JSON.parse(body.toString('utf8')) as Record<string, unknown>,
  };
  return { answer, consumed: end + 4 + consumed };
}
