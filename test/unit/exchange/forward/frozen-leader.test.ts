import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let frozen: FakeUpstream;
let next: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  // Its kernel takes requests, and nobody answers them.
  frozen = await startUpstream(() => {});
  next = await startUpstream((_, socket) => socket.write(json('next')));
});

afterEach(async () => {
  await gateway.close();
  await frozen.close();
  await next.close();
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.lead('overlord', frozen.origin);
}

const get = (target = '/druid/indexer/v1/tasks'): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
const post = (): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, 'POST /druid/indexer/v1/task HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
const reached = async (count = 1): Promise<void> => {
  while (frozen.requests.length < count) await sleep(2);
};

describe.each(['express', 'front'] as const)('through the %s door', (door) => {
  test('a read that hangs at a frozen leader is answered by the next one', async () => {
    await begin({ door });
    const answered = get();
    await reached();
    gateway.cluster.lead('overlord', next.origin);
    const answer = await answered;
    expect([answer.status, answer.body.toString()]).toEqual([200, '"next"']);
    expect(next.requests).toHaveLength(1);
    while (frozen.sockets.size > 0) await sleep(5);
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ attempts: 2, status: 200, upstream: next.hostAndPort });
    // It leads no more, which is not its fault.
    expect(gateway.cluster.reports.map(([node]) => node)).toEqual([next.hostAndPort]);
  });

  test('a write is not sent again, and its fate is called unknown in time', async () => {
    await begin({ door, abandonedTimeoutMs: 700 });
    const answered = post();
    await reached();
    const moved = performance.now();
    gateway.cluster.lead('overlord', next.origin);
    const answer = await answered;
    expect(performance.now() - moved).toBeGreaterThan(690);
    expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
    expect(String(answer.json().errorMessage)).toContain('may or may not have been executed');
    expect(next.requests).toHaveLength(0);
  });
});

test('an answer that was begun, and of which nothing was shown, is forgotten', async () => {
  await begin();
  frozen.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx');
  const answered = get();
  await reached();
  gateway.cluster.lead('overlord', next.origin);
  expect((await answered).body.toString()).toBe('"next"');
});

test('a read waits for a leader that is elected and does not serve yet', async () => {
  await begin();
  const answered = get();
  await reached();
  gateway.cluster.unlead('overlord', 'leader_initialising');
  await sleep(700);
  expect(next.requests).toHaveLength(0);
  gateway.cluster.lead('overlord', next.origin);
  expect((await answered).status).toBe(200);
});

test('the same node elected anew is asked anew', async () => {
  await begin();
  frozen.script = (_, socket) => {
    if (frozen.requests.length > 1) socket.write(json('thawed'));
  };
  const answered = get();
  await reached();
  gateway.cluster.lead('overlord', frozen.origin);
  expect((await answered).body.toString()).toBe('"thawed"');
});

test('a former leader that is well answers what it has begun', async () => {
  await begin();
  const answers = [get(), post()];
  await reached(2);
  gateway.cluster.lead('overlord', next.origin);
  await sleep(50);
  for (const socket of frozen.sockets) socket.write(json('late'));
  for (const answer of await Promise.all(answers)) expect(answer.body.toString()).toBe('"late"');
  expect(next.requests).toHaveLength(0);
});

test('without a budget a read waits on, and no longer than a write', async () => {
  await begin({ retries: { share: 0, minPerSecond: 0 }, abandonedTimeoutMs: 700 });
  const answered = get();
  await reached();
  gateway.cluster.lead('overlord', next.origin);
  const answer = await answered;
  expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
  expect(String(answer.json().errorMessage)).not.toContain('may or may not');
  expect(next.requests).toHaveLength(0);
});

test('an answer that the client sees is not touched', async () => {
  await begin({ abandonedTimeoutMs: 600 });
  let relayed: net.Socket | undefined;
  frozen.script = (_, socket) => {
    relayed = socket;
    socket.write(
      Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 70001\r\n\r\n'), Buffer.alloc(70_000)]),
    );
  };
  const answered = get();
  await reached();
  await sleep(50);
  gateway.cluster.lead('overlord', next.origin);
  await sleep(1_000);
  relayed?.write('x');
  const answer = await answered;
  expect([answer.status, answer.body.length]).toEqual([200, 70_001]);
});
