import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let master: FakeUpstream;
let gateway: Harness;
/** Requests that the master has under way, and how many it takes. */
let running = 0;
let room = 0;
/** What it adds to its refusals. */
let refusalHeaders: readonly string[] = [];

/** As Druid 39's Coordinator behind Jetty's QoSFilter: beyond some requests at once a 503 in HTML. */
function serveWithinLimit(_: unknown, socket: net.Socket): void {
  if (running >= room) {
    const headers = ['Content-Type: text/html', ...refusalHeaders];
    socket.write(plain('503 Service Unavailable', headers, '<html>'));
    return;
  }
  running++;
  setTimeout(() => {
    running--;
    socket.write(json('served'));
  }, 20);
}

beforeEach(async () => {
  running = 0;
  room = 2;
  refusalHeaders = [];
  master = await startUpstream(serveWithinLimit);
});

afterEach(async () => {
  await gateway.close();
  await master.close();
});

const get = (): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, 'GET /druid/coordinator/v1/servers HTTP/1.1\r\nHost: a\r\n\r\n');

function expectOverloaded(answer: RawAnswer): void {
  expect([answer.status, answer.json().errorCode]).toEqual([503, 'leader_overloaded']);
  expect(answer.body.toString()).not.toContain('<html');
}

describe.each(['express', 'front'] as const)('through the %s door', (door) => {
  test('requests beyond what the leader takes back off until it has room, and all are served', async () => {
    gateway = await startHarness({ door, exchange: { maxWaitMs: 10_000 } });
    gateway.cluster.lead('coordinator', master.origin);
    const answers = await Promise.all(Array.from({ length: 12 }, get));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    // 12 that came, and few more for each pause.
    expect(master.requests.length).toBeLessThan(80);
    // Nobody was told that it does not lead.
    const outcomes = new Set(gateway.cluster.reports.map(([, outcome]) => outcome));
    expect([...outcomes].sort()).toEqual(['ok', 'unavailable']);
  });

  test('a leader that refuses one path for good is asked with growing pauses, others are served', async () => {
    gateway = await startHarness({ door, exchange: { maxWaitMs: 2_500 } });
    gateway.cluster.lead('coordinator', master.origin);
    let refused = 0;
    master.script = (request, socket) => {
      if (!request.target.endsWith('/servers')) {
        socket.write(json('other'));
        return;
      }
      refused++;
      socket.write(plain('503 Service Unavailable', ['Content-Type: text/html'], '<html>'));
      // What a doubt and a new confirmation would make of it: another story of the same leader.
      setTimeout(() => {
        const { leaders } = gateway.cluster.view;
        const coordinator = { ...leaders.coordinator, since: leaders.coordinator.since + 1 };
        gateway.cluster.change({ leaders: { ...leaders, coordinator } });
      }, 20);
    };
    const first = get();
    await sleep(20);
    const other = await exchangeRaw(
      gateway.port,
      'GET /druid/coordinator/v1/loadstatus HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    expect(other.status).toBe(200);
    expectOverloaded(await first);
    // At 0, 100, 300, 700 and 1 500 ms; the next pause would be over too late.
    expect(refused).toBeGreaterThan(3);
    expect(refused).toBeLessThanOrEqual(6);
  });
});

test('all requests together repeat within the retry budget, and say so when it is spent', async () => {
  gateway = await startHarness({
    exchange: { maxWaitMs: 10_000 },
    retries: { share: 0, minPerSecond: 1 },
  });
  gateway.cluster.lead('coordinator', master.origin);
  room = 0;
  for (const answer of await Promise.all(Array.from({ length: 30 }, get))) expectOverloaded(answer);
  expect(master.requests.length).toBe(40);
});

test('the leader is left alone for as long as its Retry-After says', async () => {
  gateway = await startHarness({ exchange: { maxWaitMs: 5_000 } });
  gateway.cluster.lead('coordinator', master.origin);
  refusalHeaders = ['Retry-After: 1'];
  room = 0;
  const answered = get();
  while (master.requests.length === 0) await sleep(2);
  room = 1;
  const refused = performance.now();
  expect((await answered).status).toBe(200);
  expect(performance.now() - refused).toBeGreaterThan(950);
  expect(master.requests.length).toBe(2);
});

test('a Retry-After beyond the time to wait is handed on at once', async () => {
  gateway = await startHarness({ exchange: { maxWaitMs: 5_000 } });
  gateway.cluster.lead('coordinator', master.origin);
  refusalHeaders = ['Retry-After: 120'];
  room = 0;
  const began = performance.now();
  const answer = await get();
  expectOverloaded(answer);
  expect(answer.header('retry-after')).toBe('120');
  expect(performance.now() - began).toBeLessThan(2_000);
});

test('another leader ends the pause', async () => {
  gateway = await startHarness({ exchange: { maxWaitMs: 30_000 } });
  gateway.cluster.lead('coordinator', master.origin);
  refusalHeaders = ['Retry-After: 20'];
  room = 0;
  const next = await startUpstream((_, socket) => socket.write(json('next')));
  try {
    const answered = get();
    while (gateway.waitQueue.waiting('coordinator') === 0) await sleep(2);
    gateway.cluster.lead('coordinator', next.origin);
    expect((await answered).body.toString()).toBe('"next"');
  } finally {
    await next.close();
  }
});

test('a leader that turns out to initialise is waited for, and that counts for nothing', async () => {
  gateway = await startHarness({ retries: { share: 0, minPerSecond: 0 } });
  const { cluster } = gateway;
  cluster.lead('coordinator', master.origin);
  master.script = (_, socket) => {
    cluster.unlead('coordinator', 'leader_initialising');
    socket.write(plain('503 Service Unavailable', [], ''));
  };
  const answered = get();
  while (gateway.waitQueue.waiting('coordinator') === 0) await sleep(2);
  master.script = (_, socket) => socket.write(json('ready'));
  cluster.lead('coordinator', master.origin);
  expect((await answered).body.toString()).toBe('"ready"');
});
