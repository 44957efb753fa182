import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const PAGE = '/unified-console.html';
/** What the same node serves to the same limits, past the console. */
const READ = '/druid/coordinator/v1/leader';
const ONE = { coordinator: 1, overlord: 1, broker: 1 };

let leader: FakeUpstream;
let gateway: Harness;
/** Answers one request that the leader has taken, in the order in which they came. */
let held: (() => void)[] = [];

const hold = (_: unknown, socket: Socket): void =>
  void held.push(() => socket.write(plain('200 OK', [], 'page')));

beforeEach(async () => {
  held = [];
  leader = await startUpstream(hold);
});

afterEach(async () => {
  await gateway.close();
  await leader.close();
});

async function begin(options: HarnessOptions): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.lead('coordinator', leader.origin);
}

const get = (path: string, extra = ''): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n${extra}\r\n`);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

/** Nothing is left of any page. */
async function givenBack(): Promise<void> {
  const { cluster, concurrency, waitQueue } = gateway;
  await until(
    () =>
      cluster.node(leader.origin).outstanding === 0 &&
      concurrency.under('coordinator') === 0 &&
      waitQueue.waiting('coordinator') === 0,
  );
}

const told = (answer: RawAnswer): unknown => [
  answer.status,
  answer.header('retry-after'),
  answer.header('cache-control'),
  answer.header('x-request-id'),
  answer.json(),
];

/** A page is refused for this reason, in the very words that another read is refused in. */
async function refusedAlike(status: number, reason: string): Promise<void> {
  const page = await get(PAGE);
  expect([page.status, page.json().errorCode]).toEqual([status, reason]);
  expect(told(page)).toEqual(told(await get(READ)));
}

describe('beyond a limit a page is refused as everything else is', () => {
  test.each<[string, HarnessOptions, number, string]>([
    ['of its role', { concurrency: { roles: ONE }, exchange: { maxQueueMs: 50 } }, 503, 'overloaded'],
    ['of the gateway', { concurrency: { total: 1 }, exchange: { maxQueueMs: 50 } }, 503, 'overloaded'],
    ['of its node', { exchange: { maxPerNode: 1, maxQueueMs: 50 } }, 503, 'overloaded'],
    ['of the queue', { exchange: { maxPerNode: 1 }, maxQueued: 0 }, 503, 'overloaded'],
    ['of its client', { concurrency: { perClient: 1 } }, 429, 'too_many_requests'],
  ])('%s', async (_, options, status, reason) => {
    await begin(options);
    for (const path of [PAGE, READ]) {
      held = [];
      const running = get(path);
      await until(() => held.length === 1);
      await refusedAlike(status, reason);
      held[0]?.();
      expect((await running).status).toBe(200);
      await givenBack();
    }
    expect(leader.requests.length).toBe(2);
  });
});

test('pages wait for room, and take it in their turn', async () => {
  await begin({ concurrency: { roles: ONE }, exchange: { maxQueueMs: 60_000 } });
  const first = get(PAGE);
  await until(() => held.length === 1);
  const second = get(PAGE);
  await until(() => gateway.waitQueue.queued('coordinator') === 1);
  expect(gateway.concurrency.under('coordinator')).toBe(1);
  held[0]?.();
  await until(() => held.length === 2);
  held[1]?.();
  for (const page of [first, second]) expect((await page).status).toBe(200);
  const records = await gateway.recorded(2);
  expect(records.map(({ role, attempts }) => [role, attempts])).toEqual([
    ['console', 1],
    ['console', 1],
  ]);
  await givenBack();
});

test('of a peer that is trusted, the clients are those that it names', async () => {
  await begin({ concurrency: { perClient: 1 }, exchange: { trusts: () => true } });
  const pages = ['10.0.0.1', '10.0.0.2'].map((client) => get(PAGE, `X-Forwarded-For: ${client}\r\n`));
  await until(() => held.length === 2);
  expect((await get(PAGE, 'X-Forwarded-For: 10.0.0.1\r\n')).status).toBe(429);
  for (const answer of held) answer();
  for (const page of pages) expect((await page).status).toBe(200);
  await givenBack();
});

test('while the event loop is late, a page is refused as everything else is', async () => {
  await begin({});
  gateway.pressure.high = true;
  await refusedAlike(503, 'overloaded');
  expect(leader.requests.length).toBe(0);
  const records = await gateway.recorded(2);
  expect(records.map(({ role, reason }) => [role, reason])).toEqual([
    ['refused', 'overloaded'],
    ['refused', 'overloaded'],
  ]);
  gateway.pressure.high = false;
  leader.script = (_, socket) => socket.write(plain('200 OK', [], 'page'));
  expect((await get(PAGE)).status).toBe(200);
});

describe('a page that a node resets', () => {
  test('is not asked for again once the budget for repeats is spent', async () => {
    await begin({ retries: { share: 0, minPerSecond: 0 } });
    leader.script = (_, socket) => void socket.destroy();
    await refusedAlike(502, 'upstream_reset');
    const records = await gateway.recorded(2);
    expect(records.map(({ attempts }) => attempts)).toEqual([1, 1]);
    expect(gateway.retryBudget.refusals).toBe(2);
    await givenBack();
  });

  test('is asked for again as often as everything else, and adds to the budget', async () => {
    // Two requests let two repeats through: the first has none left for its third.
    await begin({ retries: { share: 1, minPerSecond: 0 } });
    leader.script = (_, socket) => void socket.destroy();
    expect((await get(PAGE)).json().errorCode).toBe('upstream_reset');
    expect((await gateway.recorded(1))[0]?.attempts).toBe(2);
    expect((await get(PAGE)).json().errorCode).toBe('upstream_reset');
    expect((await gateway.recorded(2))[1]?.attempts).toBe(2);
    expect(gateway.retryBudget.refusals).toBe(2);
    await givenBack();
  });
});

describe('the time limits of a page are those of a read', () => {
  test('for its head', async () => {
    await begin({ exchange: { timeoutsByClass: { read: { responseTimeout: 200 } } } });
    const page = await get(PAGE);
    expect([page.status, page.json().errorCode]).toEqual([504, 'upstream_timeout']);
    await givenBack();
  });

  test('for each further piece', async () => {
    await begin({ exchange: { timeoutsByClass: { read: { idleTimeout: 200 } } } });
    leader.script = (_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab');
    await expect(get(PAGE)).rejects.toThrow();
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ status: 200, end: 'upstream_cut' });
    await givenBack();
  });

  test('for all of it', async () => {
    await begin({ exchange: { totalTimeoutMs: 200 } });
    const page = await get(PAGE);
    expect([page.status, page.json().errorCode]).toEqual([504, 'upstream_timeout']);
    await givenBack();
  });
});

describe('a client that reads its page', () => {
  const LONG = 24 * 1024 * 1024;

  beforeEach(() => {
    leader.script = (_, socket) => socket.write(plain('200 OK', [], Buffer.alloc(LONG, 'x')));
  });

  test('not at all is cut, and its room is there for others', async () => {
    await begin({ limits: { sendTimeoutMs: 300 }, concurrency: { roles: ONE } });
    const client = await connectRaw(gateway.port);
    client.socket.pause();
    client.send(`GET ${PAGE} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ status: 200, end: 'client_gone' });
    await givenBack();
    client.close();
  });

  test('slowly but steadily gets it whole', async () => {
    await begin({ limits: { sendTimeoutMs: 700 } });
    const client = await connectRaw(gateway.port);
    client.send(`GET ${PAGE} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { socket } = client;
    let read = 0;
    socket.removeAllListeners('data');
    socket.on('data', (data: Buffer) => {
      read += data.length;
      socket.pause();
      setTimeout(() => socket.resume(), 5);
    });
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ status: 200, end: 'complete', bytesOut: LONG });
    // It took longer than the client may take for one piece.
    expect(record?.durationMs).toBeGreaterThan(1_000);
    await until(() => read > LONG);
    client.close();
  });
});

test('no page is redirected, whatever the mode', async () => {
  await begin({ redirectPolicy: () => 'http://elsewhere:1' });
  const page = get(PAGE);
  await until(() => held.length === 1);
  held[0]?.();
  expect((await page).status).toBe(200);
});

test('a client that asks what its page was decided on is told', async () => {
  await begin({});
  const page = get(PAGE, 'X-Druid-Gateway-View: 1\r\n');
  await until(() => held.length === 1);
  held[0]?.();
  expect((await page).header('x-druid-gateway-view')).toContain('coordinator=serving/both');
});
