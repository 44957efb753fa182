import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FakeUpstream, json, plain, startUpstream } from '../support/fake-upstream.ts';
import {
  atFault,
  type GatewayStatus,
  type RunningGateway,
  startFaultyGateway,
} from '../support/gateway-process.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const SLOW = '/druid/v2/datasources/slow';
const COUNT = 'druid_gateway_requests_total{role="broker",class="read",status="200"}';

let druid: FakeUpstream;
let gateway: RunningGateway;
/** Requests that the Broker has and does not answer. */
let unanswered: (() => void)[];

beforeEach(async () => {
  unanswered = [];
  druid = await startUpstream(({ target }, socket) => {
    if (target.endsWith('/readiness')) socket.write(json(true));
    else if (target === '/status/ready') socket.write(plain('404 Not Found', [], ''));
    else if (target === SLOW) unanswered.push(() => socket.write(json('late')));
    else socket.write(json('now'));
  });
});
afterEach(async () => {
  for (const answer of unanswered) answer();
  await gateway.stop();
  await druid.close();
});

async function start(fault: Record<string, string>, keys: Record<string, string> = {}): Promise<void> {
  const settings = { WORKERS: '2', STATIC__BROKERS: druid.origin, LOG__ACCESS: 'false', ...keys };
  gateway = await startFaultyGateway(fault, settings, '--discovery', 'static');
  await gateway.until(({ brokers }) => brokers.some(({ ready }) => ready));
}

/** On a connection of its own: what was answered, or that it was cut. */
function request(path = '/druid/v2/datasources'): Promise<string> {
  return new Promise((resolve) => {
    const sent = get(gateway.url + path, { agent: false });
    sent.once('error', () => resolve('cut'));
    sent.once('response', (response: IncomingMessage) => text(response).then(resolve, () => resolve('cut')));
  });
}

/** Sends requests that are not answered until each worker has one; the answers to come. */
async function holdAll(): Promise<Promise<string>[]> {
  const held: Promise<string>[] = [];
  while (!(await workers()).every(({ inFlight }) => inFlight > 0)) {
    held.push(request(SLOW));
    await until(() => unanswered.length === held.length);
  }
  return held;
}

async function workers(): Promise<NonNullable<GatewayStatus['workers']>> {
  return (await gateway.status()).workers ?? [];
}

async function pids(): Promise<number[]> {
  return (await workers()).map(({ pid }) => pid ?? 0);
}

const fails = (pid: number): boolean => process.kill(pid, 'SIGWINCH');

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The lines of the log with this message, once there are so many: they are written a moment later. */
async function lines(message: string, count = 1): Promise<Record<string, unknown>[]> {
  const all = (): string[] =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.endsWith(`"msg":"${message}"}`));
  await until(() => all().length >= count);
  return all().map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function live(): Promise<unknown> {
  const answer = await fetch(`${gateway.admin}/health/live`);
  return [answer.status, await answer.json()];
}

test.each(['throws', 'rejects'] as const)(
  'a worker that %s what nobody catches is replaced at once, drains for a second, and ends with 70',
  async (what) => {
    await start(atFault(what));
    const held = await holdAll();
    const [one, two] = await workers();
    if (one?.pid == null || two === undefined) throw new Error('there are no workers');
    const dying = one.pid;
    const served = 40;
    // Nobody asks for metrics between these and the fault.
    for (let i = 0; i < served; i++) expect(await request()).toBe('"now"');
    const began = performance.now();
    fails(dying);
    const [next] = (await gateway.until(({ workers: now = [] }) => now[0]?.pid !== dying)).workers ?? [];
    expect(next?.pid).not.toBeNull();
    const cut = held.map((answer) => answer.then((body) => body === 'cut'));
    await until(() => !lives(dying));
    expect(performance.now() - began).toBeLessThan(10_000);
    const after = await gateway.until(
      ({ workers: now = [] }) => now[0]?.state === 'serving' && now[0].lastExit !== undefined,
    );
    expect(after.workers?.[0]).toMatchObject({
      restarts: 1,
      lastExit: { reason: 'fault', code: 70, signal: null, when: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    expect(after.workers?.[1]).toMatchObject({ pid: two.pid, restarts: 0, inFlight: two.inFlight });
    for (const answer of unanswered) answer();
    expect((await Promise.all(cut)).filter(Boolean)).toHaveLength(one.inFlight);
    expect(await gateway.metric(COUNT)).toBe(served + two.inFlight);
    expect(await gateway.metric('druid_gateway_worker_exits_total{reason="fault"}')).toBe(1);
    expect(await gateway.metric('druid_gateway_worker_exits_total{reason="killed"}')).toBe(0);
    expect(await gateway.metric('druid_gateway_worker_restarts_total')).toBe(1);
    expect(await gateway.metric('druid_gateway_workers')).toBe(2);
    expect(await gateway.metric('druid_gateway_requests_in_flight')).toBe(0);
    expect(await lines('a fault of the gateway itself')).toMatchObject([
      { level: 'fatal', worker: 1, err: { stack: expect.stringContaining('at-fault.ts') } },
    ]);
    const [fault] = await lines('a worker is at fault; another takes its place');
    const [end] = await lines('a worker that was at fault ended');
    expect(fault).toMatchObject({ pid: dying, delay: 0 });
    expect(end).toMatchObject({ pid: dying, code: 70 });
    // The place was another one's while the dying one still had a request that was not answered.
    expect(Date.parse(String(end?.time)) - Date.parse(String(fault?.time))).toBeGreaterThan(900);
  },
);

test('two workers that fail at the same time are both replaced at once', async () => {
  await start(atFault('throws'));
  const both = await pids();
  for (const pid of both) fails(pid);
  const isNew = (pid: number | null): boolean => pid !== null && !both.includes(pid);
  await gateway.until(({ workers: now = [] }) =>
    now.every(({ state, pid }) => state === 'serving' && isNew(pid)),
  );
  expect(await request()).toBe('"now"');
  await until(() => !both.some(lives));
  expect(await lines('a worker is at fault; another takes its place', 2)).toMatchObject([
    { delay: 0 },
    { delay: 0 },
  ]);
});

test('a fault while a worker drains ends it within the second all the same', async () => {
  await start(atFault('throws'));
  const held = await holdAll();
  const [one] = await workers();
  const dying = one?.pid ?? 0;
  process.kill(dying, 'SIGTERM');
  await gateway.until(({ workers: now = [] }) => now[0]?.state === 'draining');
  fails(dying);
  await gateway.until(({ workers: now = [] }) => now[0]?.lastExit?.reason === 'fault');
  expect(unanswered).toHaveLength(held.length);
  expect((await workers())[0]?.lastExit).toMatchObject({ code: 70, signal: null });
});

test('workers that die again and again are waited for, but not all of them at once', async () => {
  await start(atFault('throws'));
  const gaps: number[] = [];
  for (let round = 0; round < 10; round++) {
    await gateway.until(({ workers: all = [] }) => all.some(({ state }) => state === 'serving'));
    const killed = (await pids()).filter((pid) => pid !== 0 && lives(pid));
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    const began = performance.now();
    await gateway.until(({ workers: all = [] }) =>
      all.some(({ pid }) => pid !== null && !killed.includes(pid)),
    );
    gaps.push(performance.now() - began);
  }
  // By then each place on its own has a delay of many seconds.
  expect(Math.max(...gaps)).toBeLessThan(2_500);
});

test('a worker that is stuck in a loop is killed and replaced, although little is said to it', async () => {
  await start(atFault('stuck'));
  const [stuck = 0, other] = await pids();
  fails(stuck);
  await until(() => !lives(stuck));
  const { workers: now = [] } = await gateway.until(({ workers: all = [] }) => all[0]?.state === 'serving');
  expect(now.map(({ restarts }) => restarts)).toEqual([1, 0]);
  expect(now[0]?.lastExit).toMatchObject({ reason: 'stuck', code: null, signal: 'SIGKILL' });
  expect(now[1]?.pid).toBe(other);
  expect(await gateway.metric('druid_gateway_worker_exits_total{reason="stuck"}')).toBe(1);
});

test('how a worker ended is told of those that somebody ended, too', async () => {
  await start(atFault('throws'));
  const [one = 0, two = 0] = await pids();
  process.kill(one, 'SIGKILL');
  process.kill(two, 'SIGTERM');
  const { workers: now = [] } = await gateway.until(({ workers: all = [] }) =>
    all.every(({ lastExit }) => lastExit !== undefined),
  );
  expect(now.map(({ lastExit }) => lastExit)).toMatchObject([
    { reason: 'killed', code: null, signal: 'SIGKILL' },
    { reason: 'stopped', code: 0, signal: null },
  ]);
  expect(await gateway.metric('druid_gateway_worker_exits_total{reason="killed"}')).toBe(1);
  expect(await gateway.metric('druid_gateway_worker_exits_total{reason="stopped"}')).toBe(1);
});

test('a worker whose event loop was stuck for too long is told by /health/live, one that was frozen is not', async () => {
  await start(atFault('busy', 3_000), { HEALTH__LIVE__MAX_STALL: '1500ms' });
  const [frozen = 0, busy = 0] = await pids();
  expect(await live()).toEqual([200, { status: 'live' }]);
  process.kill(frozen, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  process.kill(frozen, 'SIGCONT');
  // Its next pulse says how it has been: by then it answers again.
  await until(() => lives(frozen));
  await gateway.metric('druid_gateway_workers');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(await live()).toEqual([200, { status: 'live' }]);
  fails(busy);
  while (JSON.stringify(await live()) !== '[503,{"status":"not live","reason":"event_loop_stuck"}]');
  expect(await pids()).toEqual([frozen, busy]);
});

test('internal errors of all workers together are told by /health/live', async () => {
  await start(atFault('complains'));
  const [one = 0, two = 0] = await pids();
  fails(one);
  // What the worker itself says next does not take back what it has said.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await live()).toEqual([200, { status: 'live' }]);
  fails(two);
  while (JSON.stringify(await live()) !== '[503,{"status":"not live","reason":"internal_errors"}]');
});
