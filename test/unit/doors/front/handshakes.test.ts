import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Heard, hear, reply, startBareDoor } from '../../../kit/gateway/bare-door.ts';
import type { Harness } from '../../../kit/gateway/gateway-harness.ts';

let gateway: Harness;
/** A request that is never answered. */
let waiting: Heard | null;

const LIMIT_MS = 500;

beforeEach(async () => {
  waiting = null;
  gateway = await startBareDoor({
    tls: true,
    limits: { headersTimeoutMs: LIMIT_MS, maxConnections: 2 },
    handle(client) {
      const events = hear(client);
      client.listen(events);
      if (client.head.target === '/never') waiting = events;
      else reply(client, 200, 'served');
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

async function until(holds: () => boolean): Promise<void> {
  for (const began = performance.now(); !holds(); ) {
    if (performance.now() - began > 5_000) throw new Error('not within five seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.each<[string, (toGateway: net.Socket) => unknown]>([
  ['plain text', (socket) => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['a record that nobody encrypted', (socket) => socket.write(`\x17\x03\x03\x00\x20${'x'.repeat(32)}`)],
  ['a fatal alert', (socket) => socket.write('\x15\x03\x03\x00\x02\x02\x28')],
  ['an end that is not announced, and nobody there', (socket) => socket.destroy()],
])('a client whose encrypted connection goes on with %s has left', async (_, say) => {
  let toGateway: net.Socket | null = null;
  let closed = false;
  const between = net.createServer({ allowHalfOpen: true }, (client) => {
    toGateway = net.connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    toGateway.on('close', () => {
      closed = true;
    });
    for (const socket of [client, toGateway]) socket.on('error', () => {});
    client.pipe(toGateway, { end: false });
    toGateway.pipe(client);
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const { port } = between.address() as net.AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  client.on('error', () => {});
  client.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => waiting !== null);
  const socket = toGateway as net.Socket | null;
  if (socket !== null) say(socket);
  await until(() => waiting?.closes.length === 1);
  socket?.end();
  await until(() => closed);
  client.destroy();
  between.close();
  expect(gateway.errors.lines).toEqual([]);
});

test('a client that has the encryption agreed upon again and again is cut', async () => {
  const client = tls.connect({
    port: gateway.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  });
  client.on('error', () => {});
  await once(client, 'secureConnect');
  client.resume();
  let agreed = 0;
  const again = (): void => {
    client.renegotiate({ rejectUnauthorized: false }, (error) => {
      if (error !== null || ++agreed === 20) client.destroy();
      else again();
    });
  };
  again();
  await once(client, 'close');
  expect(agreed).toBeLessThan(5);
});
