import { expect, test, vi } from 'vitest';
import { atFault } from '../../kit/gateway/gateway-process.ts';
import { COUNT, lives, until, useTwoWorkers } from '../../kit/gateway/two-workers.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const setup = useTwoWorkers();
const { request, holdAll, workers, pids, lines } = setup;
const start = (fault: Record<string, string>, keys: Record<string, string> = {}): Promise<void> =>
  setup.start(keys, fault);

const fails = (pid: number): boolean => process.kill(pid, 'SIGWINCH');

async function live(): Promise<unknown> {
  const answer = await fetch(`${setup.gateway.admin}/health/live`);
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
    const [next] =
      (await setup.gateway.until(({ workers: now = [] }) => now[0]?.pid !== dying)).workers ?? [];
    expect(next?.pid).not.toBeNull();
    const cut = held.map((answer) => answer.then((body) => body === 'cut'));
    await until(() => !lives(dying));
    expect(performance.now() - began).toBeLessThan(10_000);
    const after = await setup.gateway.until(
      ({ workers: now = [] }) => now[0]?.state === 'serving' && now[0].lastExit !== undefined,
    );
    expect(after.workers?.[0]).toMatchObject({
      restarts: 1,
      lastExit: { reason: 'fault', code: 70, signal: null, when: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    expect(after.workers?.[1]).toMatchObject({ pid: two.pid, restarts: 0, inFlight: two.inFlight });
    for (const answer of setup.unanswered) answer();
    expect((await Promise.all(cut)).filter(Boolean)).toHaveLength(one.inFlight);
    expect(await setup.gateway.metric(COUNT)).toBe(served + two.inFlight);
    expect(await setup.gateway.metric('druid_gateway_worker_exits_total{reason="fault"}')).toBe(1);
    expect(await setup.gateway.metric('druid_gateway_worker_exits_total{reason="killed"}')).toBe(0);
    expect(await setup.gateway.metric('druid_gateway_worker_restarts_total')).toBe(1);
    expect(await setup.gateway.metric('druid_gateway_workers')).toBe(2);
    expect(await setup.gateway.metric('druid_gateway_requests_in_flight')).toBe(0);
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
  await setup.gateway.until(({ workers: now = [] }) =>
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
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.state === 'draining');
  fails(dying);
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.lastExit?.reason === 'fault');
  expect(setup.unanswered).toHaveLength(held.length);
  expect((await workers())[0]?.lastExit).toMatchObject({ code: 70, signal: null });
});

test('workers that die again and again are waited for, but not all of them at once', async () => {
  await start(atFault('throws'));
  const gaps: number[] = [];
  for (let round = 0; round < 10; round++) {
    await setup.gateway.until(({ workers: all = [] }) => all.some(({ state }) => state === 'serving'));
    const killed = (await pids()).filter((pid) => pid !== 0 && lives(pid));
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    const began = performance.now();
    await setup.gateway.until(({ workers: all = [] }) =>
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
  const { workers: now = [] } = await setup.gateway.until(
    ({ workers: all = [] }) => all[0]?.state === 'serving',
  );
  expect(now.map(({ restarts }) => restarts)).toEqual([1, 0]);
  expect(now[0]?.lastExit).toMatchObject({ reason: 'stuck', code: null, signal: 'SIGKILL' });
  expect(now[1]?.pid).toBe(other);
  expect(await setup.gateway.metric('druid_gateway_worker_exits_total{reason="stuck"}')).toBe(1);
});

test('how a worker ended is told of those that somebody ended, too', async () => {
  await start(atFault('throws'));
  const [one = 0, two = 0] = await pids();
  process.kill(one, 'SIGKILL');
  process.kill(two, 'SIGTERM');
  const { workers: now = [] } = await setup.gateway.until(({ workers: all = [] }) =>
    all.every(({ lastExit }) => lastExit !== undefined),
  );
  expect(now.map(({ lastExit }) => lastExit)).toMatchObject([
    { reason: 'killed', code: null, signal: 'SIGKILL' },
    { reason: 'stopped', code: 0, signal: null },
  ]);
  expect(await setup.gateway.metric('druid_gateway_worker_exits_total{reason="killed"}')).toBe(1);
  expect(await setup.gateway.metric('druid_gateway_worker_exits_total{reason="stopped"}')).toBe(1);
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
  await setup.gateway.metric('druid_gateway_workers');
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

const ERRORS = 'druid_gateway_internal_errors_total{place="worker"}';

test('messages between a worker and the primary that neither can read end nothing but themselves', async () => {
  await start(atFault('garbles'));
  const both = await pids();
  fails(both[0] ?? 0);
  // Four of the primary, two of the worker.
  while ((await setup.gateway.metric(ERRORS)) < 6);
  expect(await setup.gateway.metric(ERRORS)).toBe(6);
  for (let i = 0; i < 20; i++) expect(await request()).toBe('"now"');
  expect(await setup.gateway.metric(COUNT)).toBe(20);
  expect(await setup.gateway.metric('druid_gateway_workers')).toBe(2);
  expect(await pids()).toEqual(both);
});

test('a worker that cannot say something goes on, and says the next', async () => {
  await start(atFault('mute'));
  const both = await pids();
  fails(both[0] ?? 0);
  expect(await lines('internal error', 1)).toMatchObject([{ place: 'worker' }]);
  // The first question is not answered for the error, the next one is.
  while ((await setup.gateway.metric(ERRORS)) < 2);
  const said = await lines('internal error', 2);
  expect(new Set(said.map(({ error }) => error))).toEqual(
    new Set(['Error: mute on purpose: pulse', 'Error: mute on purpose: answer']),
  );
  expect(await setup.gateway.metric('druid_gateway_workers')).toBe(2);
  for (let i = 0; i < 20; i++) expect(await request()).toBe('"now"');
  expect(await pids()).toEqual(both);
});
