import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hear, reply, startBareDoor } from '../../../kit/gateway/bare-door.ts';
import type { Harness } from '../../../kit/gateway/gateway-harness.ts';

let gateway: Harness;

const LIMIT_MS = 500;

beforeEach(async () => {
  gateway = await startBareDoor({
    tls: true,
    limits: { headersTimeoutMs: LIMIT_MS, maxConnections: 2 },
    handle(client) {
      client.listen(hear(client));
      reply(client, 200, 'served');
      return true;
    },
  });
});

afterEach(async () => {
  await gateway.close();
});

/** What it takes until the gateway has closed a connection that says this. */
async function lasts(say: (socket: net.Socket) => void): Promise<number> {
  const socket = net.connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  const began = performance.now();
  say(socket);
  await new Promise((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
  });
  const took = performance.now() - began;
  socket.destroy();
  return took;
}

async function request(): Promise<string> {
  const socket = tls.connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString();
}

test.each<[string, (socket: net.Socket) => void]>([
  ['nothing', () => {}],
  ['the beginning of a ClientHello', (socket) => socket.write(Buffer.from('16030100fa010000f60303', 'hex'))],
  ['plain text', (socket) => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['half a line', (socket) => socket.write('GET /')],
  [
    'a ClientHello a byte at a time',
    (socket) => {
      const hello = Buffer.from('16030100fa010000f60303', 'hex');
      let at = 0;
      const drip = setInterval(() => {
        if (socket.writable && at < hello.length) socket.write(hello.subarray(at, ++at));
        else clearInterval(drip);
      }, LIMIT_MS / 3);
      socket.once('close', () => clearInterval(drip));
    },
  ],
])('a connection that says %s instead of a handshake is closed, and makes room', async (_, say) => {
  const times = await Promise.all([lasts(say), lasts(say)]);
  for (const time of times) expect(time).toBeLessThan(LIMIT_MS * 3);
  // The gateway hears of it a moment later.
  for (const began = performance.now(); ; ) {
    expect(performance.now() - began).toBeLessThan(10_000);
    const answer = await request().catch(() => null);
    if (answer !== null) {
      expect(answer).toContain('200 OK');
      break;
    }
  }
  expect(gateway.errors.lines).toEqual([]);
});

test('a connection whose handshake is done is not cut by the limit of handshakes', async () => {
  const socket = tls.connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const began = performance.now();
  while (performance.now() - began < LIMIT_MS * 2) {
    socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toContain('served');
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 5));
  }
  socket.destroy();
});

test.each([
  [['http/1.1'], 'http/1.1'],
  [['http/1.0'], 'http/1.0'],
  [['http/1.0', 'http/1.1'], 'http/1.1'],
  [['h2', 'http/1.0'], 'http/1.0'],
  [[], false],
])('a client that offers %j is served as %s', async (ALPNProtocols, chosen) => {
  const socket = tls.connect({
    port: gateway.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols,
  });
  await once(socket, 'secureConnect');
  expect(socket.alpnProtocol).toBe(chosen);
  socket.write(`GET /x HTTP/${chosen === 'http/1.0' ? '1.0' : '1.1'}\r\nHost: a\r\n\r\n`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  expect(data.toString()).toContain('200');
  socket.destroy();
});

test('a client that offers nothing that is served here is turned away', async () => {
  const socket = tls.connect({
    port: gateway.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});
