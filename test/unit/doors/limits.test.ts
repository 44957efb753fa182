import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { connectRaw } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
    const piece = Buffer.alloc(256 * 1024);
    const fill = (): void => {
      while (socket.writable && socket.write(piece));
    };
    socket.on('drain', fill);
    fill();
  });
  gateway = await startHarness({
    limits: { headersTimeoutMs: 500, requestTimeoutMs: 1_000, sendTimeoutMs: 300, keepAliveTimeoutMs: 300 },
  });
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

test('a head that comes a byte at a time is a 408, and the connection ends', async () => {
  const client = await connectRaw(gateway.port);
  client.send('GET /druid/v2 HTTP/1.1\r\nHost: a\r\n');
  const drip = setInterval(() => client.send('X'), 100);
  const answer = await client.answer();
  clearInterval(drip);
  expect([answer.status, answer.json().errorCode]).toEqual([408, 'request_timeout']);
  await client.ended();
});

test.each([
  ['a head', 'GET /druid/v2 HTTP/1.1\r\nHost: a\r\n'],
  ['a body', 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc'],
])(
  '%s has no longer than its request may take, where that is less than a head may take',
  async (_, begin) => {
    await gateway.close();
    gateway = await startHarness({ limits: { headersTimeoutMs: 30_000, requestTimeoutMs: 1_000 } });
    gateway.cluster.brokers(broker.origin);
    const client = await connectRaw(gateway.port);
    const began = performance.now();
    client.send(begin);
    expect((await client.answer()).status).toBe(408);
    expect(performance.now() - began).toBeLessThan(5_000);
    await client.ended();
  },
);

test('a client that is reset while it is told that its head took too long ends nothing but its connection', async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  gateway.door.app.server.once('connection', (socket: Socket) => {
    socket.once('prefinish', () => socket.destroy(new Error('read ECONNRESET')));
    socket.once('close', resolve);
  });
  const client = await connectRaw(gateway.port);
  client.send('GET /druid/v2 HTTP/1.1\r\nHost: a\r\n');
  await closed;
  client.close();
});

test('a body that comes a byte at a time ends with the request timeout, and reaches nobody whole', async () => {
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
  const drip = setInterval(() => client.send('X'), 100);
  await client.ended();
  clearInterval(drip);
  expect(broker.requests).toEqual([]);
});

test('a request that has come whole, in pieces, may wait for its answer for longer than it might take to come', async () => {
  broker.script = (_, socket) => {
    setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'), 1_800);
  };
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.send('cd');
  expect((await client.answer()).status).toBe(200);
  await client.ended();
});

test.each([
  ['nothing', ''],
  ['an empty line', '\r\n'],
  ['empty lines', '\r\n\r\n\r\n'],
  ['half an empty line', '\r'],
])('a connection on which %s was asked is closed without a word', async (_, sent) => {
  const client = await connectRaw(gateway.port);
  if (sent !== '') client.send(sent);
  expect(await client.ended()).toBe('end');
  expect(client.received().toString()).toBe('');
});

test.each([
  ['with the fewest bytes', 'G'],
  ['behind empty lines', '\r\n\r\nG'],
  ['that the front door reads', 'GET /druid/v2 HTTP/1.1\r\nHost: a\r\nTE: x\r\n'],
])('a head that has begun, %s, and does not end is a 408', async (_, sent) => {
  const client = await connectRaw(gateway.port);
  client.send(sent);
  expect((await client.answer()).status).toBe(408);
  await client.ended();
});

test('a connection that was used, and is not any more, is closed without a word', async () => {
  for (const behind of ['', '\r\n', '\r\n\r\n']) {
    for (const more of ['', 'TE: trailers\r\n']) {
      const client = await connectRaw(gateway.port);
      client.send(`GET /status/health HTTP/1.1\r\nHost: a\r\n${more}\r\n`);
      expect((await client.answer()).status).toBe(200);
      client.send(behind);
      await client.ended();
      expect([behind, more, client.received().toString()]).toEqual([behind, more, '']);
    }
  }
});

test('a client that reads nothing is cut, and the node is let go within a second after it', async () => {
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
  const [record] = await gateway.recorded(1);
  expect(record).toMatchObject({ end: 'client_gone', status: 200 });
  expect(record?.durationMs).toBeGreaterThan(290);
  const deadline = performance.now() + 1_000;
  while (broker.sockets.size > 0) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  client.close();
});

test('an error when such a client is to be cut is told, and it is cut all the same', async () => {
  const cut = vi.spyOn(Socket.prototype, 'resetAndDestroy').mockImplementationOnce(() => {
    throw new Error('at the cut');
  });
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
  const [record] = await gateway.recorded(1);
  cut.mockRestore();
  expect(record).toMatchObject({ end: 'client_gone', status: 200 });
  expect(gateway.errors.lines).toMatchObject([{ place: 'client', error: 'Error: at the cut' }]);
  client.close();
});

test('a client that reads slowly but steadily is served', async () => {
  await gateway.close();
  gateway = await startHarness({ limits: { sendTimeoutMs: 1_500 } });
  gateway.cluster.brokers(broker.origin);
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
  const { socket } = client;
  const began = performance.now();
  let read = 0;
  socket.removeAllListeners('data');
  socket.on('data', (data: Buffer) => {
    read += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), 10);
  });
  // Far longer than the client may take for one piece.
  while (performance.now() - began < 4_000) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(read).toBeGreaterThan(1024 * 1024);
  expect(gateway.records).toEqual([]);
  client.close();
});
