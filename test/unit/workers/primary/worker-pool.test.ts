import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createWorkerPool,
  type PoolWorker,
  type WorkerPool,
  type WorkerPoolOptions,
} from '../../../../src/workers/primary/worker-pool.ts';
import { type FromWorker, PULSE_MS, type ToWorker } from '../../../../src/workers/protocol/messages.ts';
import { type RecordedErrors, recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { lives, until } from '../../../kit/gateway/two-workers.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const PUPPET = new URL('../../../kit/gateway/puppet.ts', import.meta.url).href;
const ADDRESS = { address: '127.0.0.1', port: 1, family: 'IPv4' };
const PULSE: FromWorker = { kind: 'pulse', internalErrors: 0, stallMs: 0 };

let pool: WorkerPool;
let errors: RecordedErrors;
/** What has been heard, each as the worker's number and the kind of message. */
let heard: string[];
let ready: PoolWorker[];
let ended: PoolWorker[];
let logged: string[];
/** Throws where it has been set to, each time that it is called with one of these. */
let failing: Set<string>;

function fail(what: string): void {
  if (failing.has(what)) throw new Error(`at ${what}`);
}

const log = (_: object, message: string): void => {
  logged.push(message);
  fail(message);
};

beforeEach(async () => {
  vi.stubEnv('NODE_OPTIONS', `--import ${PUPPET}`);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  errors = recordErrors();
  [heard, ready, ended, logged, failing] = [[], [], [], [], new Set()];
  pool = createWorkerPool({
    size: 2,
    entry: fileURLToPath(new URL('../../../../src/gateway/worker-entry.ts', import.meta.url)),
    logger: { error: log, info: log } as unknown as WorkerPoolOptions['logger'],
    errors,
    onReady(member) {
      ready.push(member);
      fail('begin');
    },
    onMessage(member, message) {
      heard.push(`${member.number} ${message.kind}`);
      fail(message.kind);
    },
    onEnd(member) {
      ended.push(member);
      fail('end');
    },
  });
  const started = pool.start();
  await until(() => ready.length === 2);
  for (const member of ready) say(member, { kind: 'listening', address: ADDRESS });
  await started;
});
afterEach(async () => {
  failing.clear();
  await pool.stop(5_000);
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** Has the worker send this, as it is. */
function say(member: PoolWorker, what: unknown): void {
  member.send({ kind: 'say', what } as unknown as ToWorker);
}

async function saysAndIsHeard(member: PoolWorker, message: FromWorker): Promise<void> {
  const before = heard.length;
  say(member, message);
  await until(() => heard.slice(before).includes(`${member.number} ${message.kind}`));
}

function member(number: number): PoolWorker {
  const found = pool.newest.find((one) => one.number === number);
  if (found === undefined) throw new Error(`there is no worker ${number}`);
  return found;
}

function processOf({ pid }: PoolWorker): Worker {
  const found = Object.values(cluster.workers ?? {}).find((worker) => worker?.process.pid === pid);
  if (found === undefined) throw new Error(`there is no process ${pid}`);
  return found;
}

/** The next signal to this one throws. */
function failToKill(member: PoolWorker): void {
  vi.spyOn(processOf(member).process, 'kill').mockImplementationOnce(() => {
    throw new Error('at the kill');
  });
}

/** Resolves with the one that has come in place of this one. */
async function replaced({ number, pid }: PoolWorker): Promise<PoolWorker> {
  await until(() => ready.some((next) => next.number === number && next.pid !== null && next.pid !== pid));
  return member(number);
}

describe('an error', () => {
  test('at a message ends nothing but that: the next one is heard, and the other worker', async () => {
    failing.add('pulse');
    await saysAndIsHeard(member(1), PULSE);
    failing.clear();
    await saysAndIsHeard(member(2), PULSE);
    await saysAndIsHeard(member(1), { kind: 'draining' });
    expect(pool.newest.map(({ state }) => state)).toEqual(['draining', 'serving']);
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: at pulse' }]);
    expect(ended).toEqual([]);
  });

  test.each([
    ['nothing', null],
    ['one without what belongs to it', { kind: 'failed' }],
  ])('of a message that is malformed: %s', async (_, message) => {
    say(member(1), message);
    await saysAndIsHeard(member(1), PULSE);
    await saysAndIsHeard(member(2), PULSE);
    expect(errors.lines).toMatchObject([{ place: 'worker', error: expect.stringContaining('TypeError') }]);
    expect(pool.newest.map(({ state }) => state)).toEqual(['serving', 'serving']);
  });

  test('while a worker ends does not keep the next one from its place', async () => {
    failing.add('end').add('a worker ended; another takes its place');
    const [one, two] = [member(1), member(2)];
    process.kill(one.pid ?? 0, 'SIGKILL');
    const next = await replaced(one);
    expect(next).toMatchObject({ state: 'starting', restarts: 1, lastExit: { reason: 'killed' } });
    expect(pool.living).toEqual([two, next]);
    expect(pool.exits.killed).toBe(1);
    expect(errors.lines.map(({ error }) => error)).toEqual([
      'Error: at end',
      'Error: at a worker ended; another takes its place',
    ]);
  });

  test('while a worker that is at fault ends does not keep the next one from its place', async () => {
    failing.add('fault').add('end').add('a worker is at fault; another takes its place');
    const one = member(1);
    const pid = one.pid ?? 0;
    say(one, { kind: 'fault' });
    expect(await replaced(one)).toMatchObject({ restarts: 1 });
    // It does not end by itself, so that it is killed.
    await until(() => ended.includes(one));
    expect(lives(pid)).toBe(false);
    expect(pool.exits.fault).toBe(1);
    expect(logged).toContain('a worker that was at fault ended');
    expect(errors.lines.map(({ error }) => error)).toEqual([
      'Error: at a worker is at fault; another takes its place',
      'Error: at end',
    ]);
  });

  test('in what a worker is told first ends that worker, and another one is told', async () => {
    failing.add('begin');
    const one = member(1);
    process.kill(one.pid ?? 0, 'SIGKILL');
    await until(() => errors.total === 1);
    failing.clear();
    await until(() => ready.length === 4);
    expect(ready.slice(2).map(({ number }) => number)).toEqual([1, 1]);
    expect(member(1)).toMatchObject({ state: 'starting', restarts: 2, lastExit: { reason: 'error' } });
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: at begin' }]);
  });

  test('in which a worker cannot begin ends it as a fault, and it says so', async () => {
    const one = member(1);
    one.send({ kind: 'begin' } as unknown as ToWorker);
    await replaced(one);
    await until(() => ended.includes(one));
    expect(heard).toContain('1 fault');
    expect(member(1).lastExit).toMatchObject({ reason: 'fault', code: 70 });
    expect(errors.total).toBe(0);
  });

  test('while a silent worker is killed keeps neither it nor the other one alive', async () => {
    failing.add('a worker takes no messages and is killed');
    const [one, two] = [member(1), member(2)];
    const pids = [one.pid ?? 0, two.pid ?? 0];
    vi.advanceTimersByTime(11 * PULSE_MS);
    await until(() => ended.length === 2);
    expect(pids.filter(lives)).toEqual([]);
    expect(pool.exits.stuck).toBe(2);
    expect(errors.lines.map(({ error }) => error)).toEqual([
      'Error: at a worker takes no messages and is killed',
      'Error: at a worker takes no messages and is killed',
    ]);
    await until(() => ready.length === 4);
  });

  test('when a worker at fault is to be killed is told, and the next one has its place all the same', async () => {
    const one = member(1);
    failToKill(one);
    say(one, { kind: 'fault' });
    const next = await replaced(one);
    await until(() => errors.total === 1);
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: at the kill' }]);
    expect(pool.living).toEqual([one, member(2), next]);
  });

  test('when those that do not stop in time are killed keeps none of the others alive', async () => {
    const [one, two] = [processOf(member(1)), processOf(member(2))];
    for (const worker of [one, two]) worker.send = () => true;
    failToKill(member(1));
    const stopped = pool.stop(100);
    await until(() => ended.length === 1);
    expect(two.process.signalCode).toBe('SIGKILL');
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: at the kill' }]);
    one.process.kill('SIGTERM');
    await stopped;
  });

  test('of the channel to one worker, when all are to stop, keeps none of them from it', async () => {
    const [one, two] = [processOf(member(1)), processOf(member(2))];
    const pids = [member(1).pid ?? 0, member(2).pid ?? 0];
    one.send = () => {
      throw new Error('at stop');
    };
    const stopped = pool.stop(1_000);
    two.emit('error', new Error('the channel'));
    await stopped;
    expect(pids.filter(lives)).toEqual([]);
    expect(one.process.signalCode).toBe('SIGKILL');
    expect(two.process.exitCode).toBe(0);
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: at stop' }]);
  });
});
