import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cut } from '../../../src/doors/last-word.ts';
import { connectRaw, exchangeRaw } from '../../kit/clients/raw-client.ts';
import { hear, reply, startBareDoor } from '../../kit/gateway/bare-door.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const CONNECT = 'CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n';
const GET = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';

/** Sends and resets, in one burst. */
async function reset(port: number, data: string): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(data);
  const closed = once(socket, 'close');
  socket.resetAndDestroy();
  await closed;
}

describe('with a node', () => {
  let broker: FakeUpstream;
  let gateway: Harness;
  let answer: () => void;

  beforeEach(async () => {
    broker = await startUpstream((_, socket) => {
      answer = () => void socket.write(json('ok'));
    });
    gateway = await startHarness();
    gateway.cluster.brokers(broker.origin);
  });

  afterEach(async () => {
    await gateway.close();
    await broker.close();
  });

  const asked = async (): Promise<void> => {
    while (broker.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  };

  test('CONNECT behind a request is answered behind its answer', async () => {
    const client = await connectRaw(gateway.port);
    client.send(GET + CONNECT);
    await asked();
    answer();
    expect((await client.answer()).body.toString()).toBe('"ok"');
    const refused = await client.answer();
    expect([refused.status, refused.header('connection')]).toEqual([405, 'close']);
    expect(await client.ended()).toBe('end');
  });

  test('a client that leaves while its CONNECT waits for its turn is noticed', async () => {
    const client = await connectRaw(gateway.port);
    client.send(GET + CONNECT);
    await asked();
    client.close();
    expect((await gateway.recorded(1))[0]?.end).toBe('client_gone');
    expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
  });

  test('closing at the deadline also cuts a CONNECT that waits for its turn', async () => {
    const client = await connectRaw(gateway.port);
    client.send(GET + CONNECT);
    await asked();
    await gateway.door.close(100);
    await client.ended();
  });

  test.each([
    ['CONNECT', CONNECT],
    ['bytes that are not HTTP', '\x16\x03\x01\0\r\n\r\n'],
    ['too large a head', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
    ['an expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n'],
    ['a target that is none', 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a request and bytes that are not HTTP', `${GET}\0\0\r\n\r\n`],
  ])('%s with a reset behind it ends nothing but its connection', async (_, data) => {
    for (let i = 0; i < 10; i++) await reset(gateway.port, data);
    broker.script = (_, socket) => socket.write(json('ok'));
    expect((await exchangeRaw(gateway.port, GET)).status).toBe(200);
    expect(gateway.errors.lines).toEqual([]);
  });
});

describe('without a node', () => {
  let gateway: Harness;

  afterEach(async () => {
    await gateway.close();
  });

  test.each([
    ['CONNECT', CONNECT, 405],
    ['bytes that are not HTTP', '\x16\x03\x01\0\r\n\r\n', 400],
    ['a head that takes too long', 'GET / HTTP/1.1\r\n', 408],
  ])(
    'after %s a connection ends within two seconds, although its client does not',
    async (_, data, status) => {
      gateway = await startBareDoor({ limits: { headersTimeoutMs: 300 } });
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      gateway.door.app.server.once('connection', (socket: net.Socket) => void socket.once('close', resolve));
      const socket = net.connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
      const received: Buffer[] = [];
      socket.on('data', (data: Buffer) => void received.push(data));
      socket.on('error', () => {});
      socket.write(data, 'latin1');
      await once(socket, 'end');
      expect(Buffer.concat(received).toString()).toContain(`HTTP/1.1 ${status} `);
      const answered = performance.now();
      await closed;
      expect(performance.now() - answered).toBeLessThan(2_000);
      socket.destroy();
    },
  );

  test('what a client still sends does not destroy the answer', async () => {
    gateway = await startBareDoor();
    for (let i = 0; i < 10; i++) {
      const client = await connectRaw(gateway.port);
      client.socket.pause();
      client.send('BROKEN\r\n\r\n');
      client.send(Buffer.alloc(256 * 1024));
      client.socket.resume();
      expect((await client.answer()).status).toBe(400);
      client.close();
    }
  });

  test('a whole answer that the client has not read yet is not cut when the client ends its side', async () => {
    const body = 'x'.repeat(20 * 1024 * 1024);
    gateway = await startBareDoor({
      handle(client) {
        client.listen(hear(client));
        reply(client, 200, body);
        return true;
      },
    });
    const client = await connectRaw(gateway.port);
    client.socket.pause();
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc`);
    client.socket.end();
    client.socket.resume();
    expect((await client.answer()).body.length).toBe(body.length);
  });
});

test('the program outlives CONNECT and a reset, thirty times', async () => {
  const gateway = await startGatewayFromSources(
    { STATIC__COORDINATORS: '["http://127.0.0.1:1"]' },
    '--discovery',
    'static',
  );
  try {
    const port = Number(new URL(gateway.url).port);
    for (let i = 0; i < 30; i++) await reset(port, CONNECT);
    expect((await fetch(`${gateway.admin}/health/live`)).status).toBe(200);
    expect((await exchangeRaw(port, CONNECT)).status).toBe(405);
  } finally {
    expect(await gateway.stop()).toBe(0);
  }
});

test('a connection is cut at whatever point of its end it is', async () => {
  const cutAt: ((socket: net.Socket) => void)[] = [
    (socket) => cut(socket),
    (socket) => {
      socket.end();
      cut(socket);
    },
    (socket) => {
      socket.end('the last word');
      cut(socket);
    },
    (socket) => socket.end(() => cut(socket)),
    (socket) => {
      socket.end();
      setImmediate(() => cut(socket));
    },
    (socket) => {
      cut(socket);
      cut(socket);
    },
  ];
  const accepted = Promise.withResolvers<void>();
  let closed = 0;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', (error) => accepted.reject(error));
    socket.on('close', () => {
      if (++closed === cutAt.length) accepted.resolve();
    });
    socket.on('data', (data) => cutAt[Number(data)]?.(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  for (const i of cutAt.keys())
    net.connect(port, '127.0.0.1', function (this: net.Socket) {
      this.on('error', () => {}).write(String(i));
    });
  await accepted.promise;
  server.close();
  await once(server, 'close');
});
