import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Heard, hear, reply, startBareDoor } from '../../../kit/gateway/bare-door.ts';
import type { Harness } from '../../../kit/gateway/gateway-harness.ts';

// To make certificates takes its time on a busy machine.
vi.setConfig({ hookTimeout: 60_000 });

let gateway: Harness;
/** What the last request has heard. */
let heard: Heard | null;

/** A request for this gets no answer. */
const HELD = '/held';
/** Well below the time that an answer may be left unread. */
const NOTICED_MS = 10_000;

beforeEach(async () => {
  heard = null;
  gateway = await startBareDoor({
    tls: true,
    handle(client) {
      heard = hear(client);
      client.listen(heard);
      if (client.head.target !== HELD) reply(client, 200, 'served');
      return true;
    },
  });
});

afterEach(async () => {
  await gateway.close();
});

const HALF_A_BODY = `POST ${HELD} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf`;
const HALF_A_CHUNK = `POST ${HELD} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n14\r\nhalf`;
const EXPECTATION = 'GET /x HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n';

/**
 * Shakes hands and says this. `leave` is called when the gateway has read the end of the handshake, and written nothing
 * of its own behind it yet.
 */
async function visit(say: string, leave: (stream: tls.TLSSocket, raw: net.Socket) => void) {
  const { server } = gateway.door.app;
  const raw = net.connect(gateway.port, '127.0.0.1');
  raw.on('error', () => {});
  const stream = tls.connect({ socket: raw, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  stream.on('error', () => {});
  const received: Buffer[] = [];
  stream.on('data', (data: Buffer) => void received.push(data));
  const closed = new Promise<true>((resolve) => {
    server.once('connection', (socket: net.Socket) => socket.once('close', () => resolve(true)));
  });
  server.once('secureConnection', () => leave(stream, raw));
  await once(stream, 'secureConnect');
  stream.write(say, 'latin1');
  return { closed, stream, received: () => Buffer.concat(received).toString() };
}

const KINDS: [string, string][] = [
  ['nothing', ''],
  ['a whole request', 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a request that is not answered', `GET ${HELD} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['half a head', 'GET /x HTTP/1.1\r\nHo'],
  ['half a body', HALF_A_BODY],
  ['half a chunk', HALF_A_CHUNK],
  ['an expectation', EXPECTATION],
  ['CONNECT', 'CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['garbage', '\x80\xff\r\n\r\n'],
];

test.for(KINDS)('a client that says %s and resets as its handshake is done is noticed', async ([, say]) => {
  const { closed } = await visit(say, (_, raw) => raw.resetAndDestroy());
  await noticed(closed);
});

test.for(KINDS)(
  'a client that says %s, ends its side and resets as its handshake is done is noticed',
  async ([, say]) => {
    const { closed, stream } = await visit(say, (_, raw) => raw.resetAndDestroy());
    stream.end();
    await noticed(closed);
  },
);

async function noticed(closed: Promise<true>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, NOTICED_MS, 'still open'));
  expect(await Promise.race([closed, late])).toBe(true);
  await vi.waitFor(() => expect(heard?.closes.length ?? 1).toBe(1), NOTICED_MS);
  expect(gateway.errors.lines).toEqual([]);
}

test.each([
  ['half a body', HALF_A_BODY, 400],
  ['half a chunk', HALF_A_CHUNK, 400],
  ['an expectation', EXPECTATION, 417],
])('a client that says %s and ends its side is answered', async (_, say, status) => {
  const { closed, received } = await visit(say, (stream) => stream.end());
  await closed;
  await vi.waitFor(() => expect(received()).toContain(`HTTP/1.1 ${status} `), NOTICED_MS);
});
