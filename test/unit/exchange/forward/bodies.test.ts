import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawClient } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream, unchunk } from '../../../kit/upstream/fake-upstream.ts';

const KIB = 1024;
const CHUNKED = 'POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const ofLength = (length: number): string =>
  `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;

let broker: FakeUpstream;
let gateway: Harness;
let clients: RawClient[];

beforeEach(async () => {
  clients = [];
  broker = await startUpstream((_, socket) => void socket.write(json('ok')));
});

afterEach(async () => {
  for (const client of clients) client.close();
  await gateway.close();
  await broker.close();
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.brokers(broker.origin);
}

async function client(data: string | Buffer): Promise<RawClient> {
  const connected = await connectRaw(gateway.port);
  clients.push(connected);
  connected.send(data);
  return connected;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

/** Has the node say what it got of each body, and nothing else, as long as the test wants. */
function taken(): Buffer[] {
  const pieces: Buffer[] = [];
  broker.onHead = () => (data) => void pieces.push(data);
  return pieces;
}

const count = 1_000_000;
const oneByteChunks = (): Buffer => Buffer.from('1\r\nx\r\n'.repeat(count));

test('a million chunks of one byte go on as few large ones', async () => {
  await begin();
  const pieces = taken();
  const sender = await client(
    Buffer.concat([Buffer.from(CHUNKED), oneByteChunks(), Buffer.from('0\r\n\r\n')]),
  );
  let wire = Buffer.alloc(0);
  await until(() => {
    if (pieces.length === 0) return false;
    wire = Buffer.concat([wire, ...pieces.splice(0)]);
    return wire.subarray(-5).toString() === '0\r\n\r\n';
  });
  expect(unchunk(wire)?.body.equals(Buffer.alloc(count, 'x'))).toBe(true);
  // What frames the chunks.
  expect(wire.length - count).toBeLessThan(count / 50);
  expect(gateway.bodies.used).toBeLessThan(150 * KIB);
  sender.close();
  await until(() => gateway.bodies.used === 0);
});

test('a million chunks of one byte that wait are kept in twice their bytes', async () => {
  await begin({ exchange: { bufferBodyBytes: 4 * KIB * KIB, maxWaitMs: 60_000 } });
  gateway.cluster.brokers();
  const sender = await client(Buffer.concat([Buffer.from(CHUNKED), oneByteChunks()]));
  await until(() => gateway.bodies.used >= count);
  await sleep(20);
  expect(gateway.bodies.used).toBeLessThan(2 * count);
  sender.send('0\r\n\r\n');
  gateway.cluster.brokers(broker.origin);
  expect((await sender.answer()).status).toBe(200);
  expect(broker.requests[0]?.body.length).toBe(count);
  await until(() => gateway.bodies.used === 0);
});

test('a node that takes nothing stops the client, however small its chunks are', async () => {
  await begin({ upstreams: { responseTimeoutMs: 60_000 } });
  broker.onHead = (_, socket) => {
    socket.pause();
    return () => {};
  };
  const sender = await client(CHUNKED);
  const chunks = oneByteChunks();
  for (let i = 0; i < 20; i++) sender.send(chunks);
  // Some MiB go into the buffers of the system; the rest stays with the client.
  let before = -1;
  for (let same = 0; same < 10; await sleep(20)) {
    const left = sender.socket.writableLength;
    same = left === before ? same + 1 : 0;
    before = left;
  }
  expect(before).toBeGreaterThan(10 * count);
});

test('all bodies together keep no more than they may: one is not read on until there is room', async () => {
  await begin({ bodies: { maxBytes: 100 * KIB, maxWaitMs: 60_000 } });
  const half = Buffer.alloc(50 * KIB - 1, 'x');
  const first = await client(Buffer.concat([Buffer.from(ofLength(50 * KIB)), half]));
  await client(Buffer.concat([Buffer.from(ofLength(60 * KIB)), half]));
  await until(() => gateway.bodies.used >= 2 * half.length);
  const third = await client(ofLength(60 * KIB));
  third.send(Buffer.alloc(50 * KIB, 'y'));
  await until(() => gateway.bodies.used >= 100 * KIB);
  await sleep(100);
  const used = gateway.bodies.used;
  expect(used).toBeLessThanOrEqual(100 * KIB + 64 * KIB);
  third.send(Buffer.alloc(10 * KIB, 'y'));
  await sleep(100);
  expect(gateway.bodies.used).toBe(used);
  expect(broker.requests.length).toBe(0);
  first.close();
  expect((await third.answer()).status).toBe(200);
});

test('a body for which there is no room in time gets 503', async () => {
  await begin({ bodies: { maxBytes: 40 * KIB, maxWaitMs: 100 } });
  const holder = await client(Buffer.concat([Buffer.from(ofLength(60 * KIB)), Buffer.alloc(39 * KIB, 'x')]));
  await until(() => gateway.bodies.used >= 39 * KIB);
  const second = await client(
    Buffer.concat([Buffer.from(CHUNKED), Buffer.from('400\r\n'), Buffer.alloc(1024)]),
  );
  const third = await client(Buffer.concat([Buffer.from(ofLength(2000)), Buffer.alloc(1000)]));
  for (const refused of [second, third]) {
    const answer = await refused.answer();
    expect([answer.status, answer.json().errorCode]).toEqual([503, 'overloaded']);
  }
  holder.close();
  await until(() => gateway.bodies.used === 0);
});

test('a long upload is not held up by bodies that wait: what it has sent is no longer kept', async () => {
  await begin({ bodies: { maxBytes: 70 * KIB, maxWaitMs: 100 } });
  await client(Buffer.concat([Buffer.from(ofLength(60 * KIB)), Buffer.alloc(59 * KIB, 'x')]));
  await until(() => gateway.bodies.used >= 59 * KIB);
  const upload = await client(ofLength(300 * KIB));
  upload.send(Buffer.alloc(300 * KIB, 'y'));
  expect((await upload.answer()).status).toBe(200);
  expect(broker.requests[0]?.body.length).toBe(300 * KIB);
});

const SLOW = { bodies: { idleTimeoutMs: 100 } };

async function expectTimeout(slow: RawClient): Promise<void> {
  const answer = await slow.answer();
  expect([answer.status, answer.json().errorCode]).toEqual([408, 'request_timeout']);
  expect(answer.headers('connection')).toEqual(['close']);
  expect(await slow.ended()).toBe('end');
}

test.each([
  ['of a known length', `${ofLength(100)}{`],
  ['in chunks', `${CHUNKED}1\r\n{\r\n`],
])('a body %s that comes no further gets 408, and no node hears of it', async (_, data) => {
  await begin(SLOW);
  await expectTimeout(await client(data));
  expect(broker.sockets.size).toBe(0);
});

test.each([
  ['of a known length', ofLength(1_000_000)],
  ['in chunks', `${CHUNKED}${(100 * KIB).toString(16)}\r\n`],
])(
  'a large body %s that comes no further gets 408, and gives its place at the node back',
  async (_, head) => {
    await begin(SLOW);
    taken();
    const slow = await client(Buffer.concat([Buffer.from(head), Buffer.alloc(80 * KIB)]));
    await until(() => gateway.concurrency.under('broker') === 1);
    await expectTimeout(slow);
    expect(gateway.concurrency.under('broker')).toBe(0);
    await until(() => broker.sockets.size === 0);
  },
);

test('the client of an answer that has begun is reset when its body comes no further', async () => {
  await begin(SLOW);
  broker.onHead = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[');
    return () => {};
  };
  const slow = await client(Buffer.concat([Buffer.from(ofLength(1_000_000)), Buffer.alloc(80 * KIB)]));
  await until(() => slow.received().toString('latin1').endsWith('['));
  await slow.ended();
  expect(slow.received().toString('latin1').endsWith('[')).toBe(true);
});

test('a client is not slow while its node is', async () => {
  await begin(SLOW);
  let socket: { resume(): void } | null = null;
  let got = 0;
  broker.onHead = (_, taker) => {
    socket = taker.pause();
    return (data) => {
      got += data.length;
      if (got === 16 * KIB * KIB) taker.write(json('ok'));
    };
  };
  const sender = await client(ofLength(16 * KIB * KIB));
  sender.send(Buffer.alloc(16 * KIB * KIB));
  await until(() => socket !== null);
  await sleep(500);
  expect(sender.received().length).toBe(0);
  (socket as { resume(): void } | null)?.resume();
  expect((await sender.answer()).status).toBe(200);
});

test('a body in chunks is collected before a node is taken', async () => {
  await begin();
  const sender = await client(`${CHUNKED}1\r\n{\r\n`);
  await sleep(50);
  expect(gateway.concurrency.under('broker')).toBe(0);
  sender.send('1\r\n}\r\n0\r\n\r\n');
  expect((await sender.answer()).status).toBe(200);
  expect([broker.requests[0]?.chunked, broker.requests[0]?.body.toString()]).toEqual([true, '{}']);
});

test('a body in chunks is read for the time that its query may take', async () => {
  await begin({ exchange: { timeoutSlackMs: 20 } });
  broker.script = () => {};
  const query = '{"queryType":"timeseries","context":{"timeout":80,"queryId":"q"}}';
  const data = `${CHUNKED}10\r\n${query.slice(0, 16)}\r\n${(query.length - 16).toString(16)}\r\n${query.slice(16)}\r\n0\r\n\r\n`;
  const answer = await exchangeRaw(gateway.port, data);
  expect([answer.status, answer.json().context]).toMatchObject([504, { queryId: 'q' }]);
});

test('requests of one JDBC connection in chunks go to one Broker', async () => {
  const others = await Promise.all(
    [1, 2, 3].map(() => startUpstream((_, socket) => void socket.write(json('ok')))),
  );
  await begin();
  gateway.cluster.brokers(broker.origin, ...others.map(({ origin }) => origin));
  const body = '{"request":"prepareAndExecute","connectionId":"c-17"}';
  const head = CHUNKED.replace('/druid/v2', '/druid/v2/sql/avatica/');
  const all = [broker, ...others];
  for (let i = 0; i < 12; i++) {
    // Another one is the less busy each time.
    for (const { origin } of all) gateway.cluster.node(origin).begin();
    gateway.cluster.node(all[i % 4]?.origin ?? '').end();
    const data = `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect((await exchangeRaw(gateway.port, data)).status).toBe(200);
    for (const { origin } of all) if (origin !== all[i % 4]?.origin) gateway.cluster.node(origin).end();
  }
  expect(all.map(({ requests }) => requests.length).sort((a, b) => a - b)).toEqual([0, 0, 0, 12]);
  await Promise.all(others.map((other) => other.close()));
});

test('a node may answer before it has the whole body', async () => {
  await begin();
  broker.onHead = (_, socket) => {
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
    return () => {};
  };
  const sender = await client(ofLength(300 * KIB));
  const [closed] = [once(sender.socket, 'close')];
  sender.send(Buffer.alloc(100 * KIB));
  expect((await sender.answer()).status).toBe(401);
  sender.close();
  await closed;
});
