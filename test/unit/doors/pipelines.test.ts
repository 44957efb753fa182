import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { connectRaw, type RawClient } from '../../kit/clients/raw-client.ts';
import { DOOR } from '../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;
/** Gives the queries that wait their answer. */
let answerQueries: () => void;
let answer: string;

beforeEach(async () => {
  answer = 'rows';
  const waiting: Socket[] = [];
  answerQueries = () => {
    for (const socket of waiting.splice(0)) socket.write(json(answer));
  };
  broker = await startUpstream(({ method, target, body }, socket) => {
    if (method === 'POST' && body.includes('sqlQueryId')) waiting.push(socket);
    else if (target.endsWith('/soon')) setTimeout(() => socket.write(json(`${body.length}`)), 20);
    else if (target.endsWith('/slow')) setTimeout(() => socket.write(json('slow')), 300);
    else socket.write(json(`${body.length}`));
  });
  gateway = await startHarness();
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

const BODY = '{"query":"x","context":{"sqlQueryId":"q","timeout":1000000000}}';
const QUERY = `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const GET = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';
/** Only the front door takes it. */
const ODD_GET = 'GET /druid/v2/x HTTP/1.1\r\nHost:a\r\n\r\n';
const SLOW_GET = GET.replace('/x', '/slow');
const post = (length: number, sent = length): string =>
  `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(sent)}`;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Clients that each wait for a query. */
async function ask(count = 1): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => connectRaw(gateway.port)));
  for (const client of clients) client.send(QUERY);
  await until(() => broker.requests.length === count);
  return clients;
}

/** The queries of the clients that have left are over, and cancelled. */
async function noticed(count = 1): Promise<void> {
  for (const record of await gateway.recorded(count)) {
    expect([record.status, record.end]).toEqual([499, 'client_gone']);
  }
  await until(() => broker.requests.filter(({ method }) => method === 'DELETE').length === count);
  await until(() => gateway.cluster.node(broker.origin).outstanding === 0);
  expect(gateway.concurrency.under('broker')).toBe(0);
  expect(gateway.errors.lines).toEqual([]);
}

/** Takes an answer at so many bytes a second. */
function readSlowly({ socket }: RawClient, bytesPerSecond: number): void {
  socket.on('data', (data: Buffer) => {
    socket.pause();
    setTimeout(() => socket.resume(), (data.length / bytesPerSecond) * 1_000);
  });
}

/** What has come of all that clients sent. */
function bytesRead(): () => number {
  const sockets: Socket[] = [];
  gateway.door.app.server.on('connection', (socket: Socket) => sockets.push(socket));
  return () => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
}

test('a client that leaves while its query runs is noticed, whatever it has sent behind it', async () => {
  const behind = [
    'GET /druid/v2/x HTTP/1.1\r\nHo',
    GET.repeat(20),
    GET.repeat(2_500),
    GET.repeat(25_000),
    ODD_GET.repeat(25_000),
    post(1_900_000, 60_000),
    post(1_900_000, 100_000),
    post(1_900_000, 300_000),
    `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n${'x'.repeat(0x40000)}`,
  ];
  const clients = await ask(behind.length);
  await Promise.all(
    clients.map(async ({ socket }, i) => {
      await new Promise((resolve) => socket.write(behind[i] ?? '', resolve));
      socket.resetAndDestroy();
    }),
  );
  await noticed(behind.length);
});

describe('a pipeline is answered whole and in its order:', () => {
  test.each([
    ['requests', GET.repeat(60), 60],
    ['more requests than are read at once', GET.repeat(6_000), 6_000],
    ['the same behind a slow one', SLOW_GET + GET.repeat(6_000), 6_001],
    ['requests that only the front door takes, behind a slow one', SLOW_GET + ODD_GET.repeat(3_000), 3_001],
    ['a large body behind a slow request', SLOW_GET + post(400_000), 2],
    ['large bodies behind slow requests', (SLOW_GET + post(700_000)).repeat(3), 6],
    [
      'bodies that only the front door takes, behind a slow request',
      `${SLOW_GET}${ODD_GET}${Array.from({ length: 400 }, (_, i) => post(i * 5)).join('')}`,
      402,
    ],
    ['a large body and requests behind it', SLOW_GET + post(400_000) + GET.repeat(500), 502],
  ])('%s', async (_, sent, count) => {
    const client = await connectRaw(gateway.port);
    client.send(sent);
    const expected = [...sent.matchAll(/\/slow |Content-Length: (\d+)|\/x /g)].map(
      ([found, length]) => length ?? (found === '/slow ' ? 'slow' : '0'),
    );
    expect(expected).toHaveLength(count);
    for (const body of expected) {
      const answer = await client.answer();
      expect([answer.status, answer.json()]).toEqual([200, body]);
    }
    client.close();
    expect(gateway.errors.lines).toEqual([]);
  });
});

test('of the smallest requests few are taken apart before it is their turn', async () => {
  let requests = 0;
  gateway.door.app.server.on('request', () => requests++);
  const client = await connectRaw(gateway.port);
  client.send(`GET /druid/v2/slow HTTP/1.1\r\nHost:a\r\n\r\n${'GET / HTTP/1.1\r\n\r\n'.repeat(10_000)}`);
  await until(() => requests > 50);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(requests).toBeLessThan(300);
  expect((await client.answer()).status).toBe(200);
  // Without a Host they are refused, and the first of them ends the connection.
  expect((await client.answer()).status).toBe(400);
  expect(await client.ended()).toBe('end');
});

test.each([66_000, 81_259, 100_000, 120_000])(
  'a body of %i bytes and one behind it are both read',
  async (size) => {
    const client = await connectRaw(gateway.port);
    client.send(post(size).replace('/v2 ', '/v2/soon ').replace('Host: a', 'Host:a') + post(429_091));
    expect((await client.answer()).json()).toBe(`${size}`);
    expect((await client.answer()).json()).toBe('429091');
    client.close();
  },
);

test.each([
  ['that asks for it', 'Connection: close\r\n', () => {}],
  ['when the door drains', '', () => gateway.door.drain()],
])(
  'the last answer of a connection %s arrives, whatever the client still sends',
  async (_, header, drain) => {
    for (let i = 0; i < 5; i++) {
      const client = await connectRaw(gateway.port);
      client.send(`${SLOW_GET.replace('Host: a\r\n', `Host: a\r\n${header}`)}${post(400_000_000, 0)}`);
      const upload = setInterval(() => client.socket.writable && client.send(Buffer.alloc(20_000)), 2);
      await until(() => broker.requests.length === i + 1);
      drain();
      expect((await client.answer()).json()).toBe('slow');
      clearInterval(upload);
      client.close();
    }
  },
);

describe('of what comes behind a request that takes long', () => {
  // With a shared buffer it is not the accepted socket that is read, and nobody can see how far.
  test.skipIf(DOOR === 'shared').each([
    ['requests', GET.repeat(100_000)],
    ['requests that only the front door takes', ODD_GET.repeat(60_000)],
    ['a body', post(3_000_000)],
  ])('little is kept, and after a while none, but the answer under way is given: %s', async (_, behind) => {
    const read = bytesRead();
    const [client] = (await ask()) as [RawClient];
    const sent = new Promise((resolve) => client.socket.write(behind, resolve));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(read()).toBeLessThan(600_000);
    await sent;
    await until(() => read() === QUERY.length + behind.length);
    answerQueries();
    const last = await client.answer();
    expect([last.status, last.json(), last.header('connection')]).toEqual([200, 'rows', 'close']);
    expect(await client.ended()).toBe('end');
    expect(broker.requests).toHaveLength(1);
    expect(gateway.errors.lines).toEqual([]);
  });

  test('nothing cuts the answer under way, though its client reads slowly and goes on sending', async () => {
    const [client] = (await ask()) as [RawClient];
    client.send(GET.repeat(12_000));
    const sending = setInterval(() => client.socket.writable && client.send(GET.repeat(100)), 50);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    readSlowly(client, 500_000);
    answer = 'y'.repeat(1_500_000);
    answerQueries();
    expect((await client.answer()).json()).toBe(answer);
    clearInterval(sending);
    client.close();
  });

  test('no more than a bound is read: the connection is cut', async () => {
    const [client] = (await ask()) as [RawClient];
    client.send(GET.repeat(400_000));
    await client.ended();
    await noticed();
  });
});
