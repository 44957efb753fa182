import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer, type RawClient } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import {
  type FakeUpstream,
  json,
  plain,
  type ReceivedRequest,
  startUpstream,
} from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;
/** Answers one request that the Broker has taken, in the order in which they came. */
let held: (() => void)[] = [];

beforeEach(async () => {
  held = [];
  broker = await startUpstream((_, socket) => void held.push(() => socket.write(json('ok'))));
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

async function begin(options: HarnessOptions): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.brokers(broker.origin);
}

const QUERY = 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';
const query = (): Promise<RawAnswer> => exchangeRaw(gateway.port, QUERY);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function refused(answer: RawAnswer, status: number, reason: string): void {
  expect([answer.status, answer.json().errorCode]).toEqual([status, reason]);
  expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
}

test('beyond the limit requests wait, go on as others end, and beyond the queue get 503 at once', async () => {
  const broker2 = { coordinator: 0, overlord: 0, broker: 2 };
  await begin({ concurrency: { roles: broker2 }, maxQueued: 2, exchange: { maxQueueMs: 60_000 } });
  const running = [query(), query()];
  await until(() => held.length === 2);
  // One client's part of the queue is half of it.
  const waiting = query();
  await until(() => gateway.waitQueue.queued('broker') === 1);
  refused(await query(), 503, 'overloaded');
  expect(held.length).toBe(2);
  held[0]?.();
  await until(() => held.length === 3);
  held[1]?.();
  held[2]?.();
  for (const answer of [...running, waiting]) expect((await answer).status).toBe(200);
  expect(gateway.waitQueue.queued('broker')).toBe(0);
});

test('a node with as many requests as it may have gets no more', async () => {
  await begin({ exchange: { maxPerNode: 3, maxQueueMs: 60_000 } });
  const answers = Array.from({ length: 8 }, query);
  await until(() => gateway.waitQueue.queued('broker') === 5);
  expect(held.length).toBe(3);
  for (let i = 0; i < 8; i++) {
    await until(() => held.length > i);
    expect(held.length - i).toBeLessThanOrEqual(3);
    held[i]?.();
  }
  for (const answer of answers) expect((await answer).status).toBe(200);
});

test('the wait for room has a limit', async () => {
  await begin({ exchange: { maxPerNode: 1, maxQueueMs: 50 } });
  const first = query();
  await until(() => held.length === 1);
  refused(await query(), 503, 'overloaded');
  held[0]?.();
  expect((await first).status).toBe(200);
});

test('a client that leaves the queue is not sent', async () => {
  await begin({ exchange: { maxPerNode: 1, maxQueueMs: 60_000 } });
  const first = query();
  await until(() => held.length === 1);
  const leaver = await connectRaw(gateway.port);
  leaver.send(QUERY);
  await until(() => gateway.waitQueue.queued('broker') === 1);
  leaver.close();
  await until(() => gateway.waitQueue.queued('broker') === 0);
  held[0]?.();
  await first;
  expect(broker.requests.length).toBe(1);
});

test('a client with as many requests as it may have gets 429', async () => {
  await begin({ concurrency: { perClient: 1 } });
  const first = query();
  await until(() => held.length === 1);
  refused(await query(), 429, 'too_many_requests');
  held[0]?.();
  expect((await first).status).toBe(200);
});

test('of a peer that is trusted, the clients are those that it names', async () => {
  await begin({ concurrency: { perClient: 1 }, exchange: { trusts: (address) => address === '127.0.0.1' } });
  const from = (client: string): Promise<RawAnswer> =>
    exchangeRaw(gateway.port, QUERY.replace('Host: a', `Host: a\r\nX-Forwarded-For: 9.9.9.9, ${client}`));
  const answers = [from('10.0.0.1'), from('10.0.0.2')];
  await until(() => held.length === 2);
  refused(await from('10.0.0.1'), 429, 'too_many_requests');
  for (const release of held) release();
  for (const answer of answers) expect((await answer).status).toBe(200);
});

test.for<[of: string, options: HarnessOptions]>([
  [
    'the role',
    {
      concurrency: { roles: { coordinator: 0, overlord: 0, broker: 2 }, largeShare: 0.5 },
      exchange: { maxQueueMs: 60_000, bufferBodyBytes: 1 },
    },
  ],
  ['a node', { exchange: { maxPerNode: 2, maxPerNodeForLarge: 1, maxQueueMs: 60_000, bufferBodyBytes: 1 } }],
])('large requests leave room in the limit of %s for small ones', async ([, options]) => {
  await begin(options);
  const large = (): Promise<RawAnswer> =>
    exchangeRaw(
      gateway.port,
      'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    );
  const answers = [large(), large()];
  await until(() => held.length === 1 && gateway.waitQueue.queued('broker') === 1);
  held[0]?.();
  await until(() => held.length === 2);
  // The other large one runs; a third would wait, a small one does not.
  answers.push(large());
  await until(() => gateway.waitQueue.queued('broker') === 1);
  const small = query();
  await until(() => held.length === 3);
  held[2]?.();
  expect((await small).status).toBe(200);
  held[1]?.();
  await until(() => held.length === 4);
  held[3]?.();
  for (const answer of answers) expect((await answer).status).toBe(200);
});

test('while the event loop is late new requests get 503, and what the gateway answers itself goes on', async () => {
  await begin({});
  gateway.pressure.high = true;
  refused(await query(), 503, 'overloaded');
  const health = await exchangeRaw(gateway.port, 'GET /status/health HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(health.status).toBe(200);
  gateway.pressure.high = false;
  const answer = query();
  await until(() => held.length === 1);
  held[0]?.();
  expect((await answer).status).toBe(200);
});

describe('requests that wait', () => {
  test('keep no more bytes of bodies than they may', async () => {
    await begin({ maxParkedBytes: 100, exchange: { maxWaitMs: 60_000 } });
    gateway.cluster.brokers();
    const body = 'x'.repeat(60);
    const send = (): Promise<RawClient> =>
      connectRaw(gateway.port).then((client) => {
        client.send(`POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n${body}`);
        return client;
      });
    const waiting = await send();
    await until(() => gateway.waitQueue.waiting('broker') === 1);
    refused(await (await send()).answer(), 503, 'parking_full');
    gateway.cluster.brokers(broker.origin);
    await until(() => held.length === 1);
    held[0]?.();
    expect((await waiting.answer()).status).toBe(200);
  });

  test('wait as long as their role may', async () => {
    await begin({ exchange: { maxWaitMs: 60_000, maxWaitByRole: { coordinator: 50 } } });
    const answer = await exchangeRaw(gateway.port, 'GET /druid/coordinator/v1/x HTTP/1.1\r\nHost: a\r\n\r\n');
    refused(answer, 503, 'no_leader');
  });

  test('for a leader are sent in order, no more at once than it may have', async () => {
    let most = 0;
    let running = 0;
    const seen: string[] = [];
    broker.script = (request: ReceivedRequest, socket) => {
      most = Math.max(most, ++running);
      seen.push(request.target);
      setTimeout(() => {
        running--;
        socket.write(json('ok'));
      }, 2);
    };
    await begin({ maxParked: 1_000, exchange: { maxWaitMs: 60_000, maxQueueMs: 60_000, maxPerNode: 10 } });
    const answers = [];
    for (let i = 0; i < 200; i++) {
      answers.push(exchangeRaw(gateway.port, `GET /druid/coordinator/v1/${i} HTTP/1.1\r\nHost: a\r\n\r\n`));
      await until(() => gateway.waitQueue.waiting('coordinator') === i + 1);
    }
    gateway.cluster.lead('coordinator', broker.origin);
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(most).toBeLessThanOrEqual(10);
    // One that is slow to come about is overtaken by what the nine others carry meanwhile.
    const places = seen.map((target, place) => Math.abs(Number(target.split('/').at(-1)) - place));
    expect(Math.max(...places)).toBeLessThanOrEqual(40);
  });
});

test('without a budget nothing is sent again', async () => {
  await begin({ retries: { share: 0, minPerSecond: 0 } });
  const other = await startUpstream((_, socket) => socket.write(json('other')));
  broker.script = (_, socket) => socket.resetAndDestroy();
  gateway.cluster.brokers(broker.origin, other.origin);
  const answer = await query();
  expect([answer.status, answer.json().errorCode]).toEqual([502, 'upstream_reset']);
  expect(gateway.retryBudget.refusals).toBe(1);
  expect(other.requests).toEqual([]);
  await other.close();
});

test('an answer carries the view that it was decided on when the request asks for it', async () => {
  await begin({});
  broker.script = (request, socket) => {
    expect(request.header('x-druid-gateway-view')).toBeUndefined();
    socket.write(plain('200 OK', ['X-Druid-Gateway-View: forged'], 'ok'));
  };
  const asked = await exchangeRaw(
    gateway.port,
    QUERY.replace('Host: a', 'Host: a\r\nX-Druid-Gateway-View: 1'),
  );
  expect(asked.headers('x-druid-gateway-view')).toEqual([
    expect.stringMatching(
      /^version=\d+, discovery=connected, age=never, coordinator=none\/nothing, overlord=none\/nothing, brokers=1$/,
    ),
  ]);
  expect((await query()).headers('x-druid-gateway-view')).toEqual([]);
});

test('an answer does not carry the view for a client that may not know it', async () => {
  const clients: string[] = [];
  const asks = QUERY.replace('Host: a', 'Host: a\r\nX-Druid-Gateway-View: 1\r\nX-Forwarded-For: 127.0.0.1');
  await begin({
    exchange: {
      showsView(client) {
        clients.push(client);
        return false;
      },
    },
  });
  const answer = exchangeRaw(gateway.port, asks);
  await until(() => held.length === 1);
  held[0]?.();
  expect((await answer).headers('x-druid-gateway-view')).toEqual([]);
  expect(clients).toEqual(['127.0.0.1']);
});
