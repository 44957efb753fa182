import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FakeUpstream, json, plain, startUpstream } from '../support/fake-upstream.ts';
import {
  type GatewayStatus,
  type RunningGateway,
  startGatewayFromSources,
} from '../support/gateway-process.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const SLOW = '/druid/v2/datasources/slow';

let folder: string;
let druid: FakeUpstream;
let gateway: RunningGateway;
let unanswered: (() => void)[];

beforeEach(async () => {
  unanswered = [];
  folder = mkdtempSync(join(tmpdir(), 'druid-gateway-break-'));
  vi.stubEnv('BREAK_IN', join(folder, 'how'));
  vi.stubEnv('NODE_OPTIONS', `--import ${new URL('../support/break-in.mjs', import.meta.url)}`);
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
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

async function start(keys: Readonly<Record<string, string>> = {}): Promise<void> {
  const settings = { STATIC__BROKERS: druid.origin, LOG__ACCESS: 'false', SHUTDOWN__DRAIN: '30s', ...keys };
  gateway = await startGatewayFromSources(settings, '--discovery', 'static');
  await gateway.until(({ brokers }) => brokers.some(({ ready }) => ready));
}

/** Has something happen in a process of the gateway that no request of a client can cause. */
function happens(how: 'throw' | 'reject' | 'loop', ...pids: readonly (number | null | undefined)[]): void {
  writeFileSync(join(folder, 'how'), how);
  for (const pid of pids) {
    if (pid == null) throw new Error('there is no such process');
    process.kill(pid, 'SIGWINCH');
  }
}

function request(path: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = get(gateway.url + path, { agent: false });
    sent.once('error', () => resolve('cut'));
    sent.once('response', (response: IncomingMessage) => text(response).then(resolve, () => resolve('cut')));
  });
}

async function workers(): Promise<NonNullable<GatewayStatus['workers']>> {
  return (await gateway.status()).workers ?? [];
}

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

const exits = (reason: string): Promise<number> =>
  gateway.metric(`druid_gateway_worker_exits_total{reason="${reason}"}`);

describe('an error outside any request', () => {
  test.each(['throw', 'reject'] as const)(
    '(%s) ends a single process at once with 70, though a request is held open',
    async (how) => {
      await start();
      const held = request(SLOW);
      await until(() => unanswered.length === 1);
      const began = performance.now();
      happens(how, gateway.pid);
      await until(() => !lives(gateway.pid));
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(await gateway.stop()).toBe(70);
      expect(await held).toBe('cut');
      expect(gateway.log()).toContain('"level":"fatal"');
      expect(gateway.log()).toContain('break-in.mjs');
    },
  );

  test('replaces a worker before that one has ended, and gives it a second at most', async () => {
    await start({ WORKERS: '2' });
    const held: Promise<string>[] = [];
    while (!(await workers()).every(({ inFlight }) => inFlight > 0)) {
      held.push(request(SLOW));
      await until(() => unanswered.length === held.length);
    }
    const [one, two] = await workers();
    if (one?.pid == null || two === undefined) throw new Error('there are no workers');
    const began = performance.now();
    happens('throw', one.pid);
    await gateway.until(
      ({ workers: [now] = [] }) => now !== undefined && now.pid !== one.pid && now.restarts === 1,
    );
    await until(() => !lives(one.pid ?? 0));
    expect(performance.now() - began).toBeLessThan(10_000);
    await gateway.until(({ workers: now = [] }) => now.every(({ state }) => state === 'serving'));
    for (let i = 0; i < 20; i++) expect(await request('/druid/v2/datasources')).toBe('"now"');
    for (const answer of unanswered) answer();
    const ends = await Promise.all(held);
    expect(ends.filter((end) => end === 'cut')).toHaveLength(one.inFlight);
    expect((await workers())[1]?.pid).toBe(two.pid);
    expect((await workers())[0]?.lastExit).toMatchObject({ reason: 'broken', code: 70 });
    expect(await exits('broken')).toBe(1);
    expect(await exits('killed')).toBe(0);
    expect(await gateway.metric('druid_gateway_worker_restarts_total')).toBe(1);
  });

  test('in all workers at once leaves the port closed for a moment only', async () => {
    await start({ WORKERS: '2' });
    for (let round = 1; round <= 3; round++) {
      happens('throw', ...(await workers()).map(({ pid }) => pid));
      const began = performance.now();
      await gateway.until(({ workers: now = [] }) =>
        now.every(({ state, restarts }) => state === 'serving' && restarts === round),
      );
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(await request('/druid/v2/datasources')).toBe('"now"');
    }
    while ((await exits('broken')) < 6) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await gateway.stop()).toBe(0);
  });
});

test('a worker in an endless loop is killed and replaced, though little is said to it', async () => {
  await start({ WORKERS: '2' });
  const [one, two] = await workers();
  happens('loop', one?.pid);
  await until(() => !lives(one?.pid ?? 0));
  await gateway.until(({ workers: [now] = [] }) => now?.state === 'serving' && now.restarts === 1);
  expect((await workers())[1]?.pid).toBe(two?.pid);
  expect(await exits('stuck')).toBe(1);
  expect(gateway.log()).toContain('a worker takes no messages and is killed');
});

test('how a worker ended is told for each way', async () => {
  await start({ WORKERS: '2' });
  const [one, two] = await workers();
  process.kill(one?.pid ?? 0, 'SIGKILL');
  process.kill(two?.pid ?? 0, 'SIGTERM');
  await gateway.until(({ workers: now = [] }) =>
    now.every(({ state, restarts }) => state === 'serving' && restarts === 1),
  );
  expect([await exits('killed'), await exits('stopped')]).toEqual([1, 1]);
  expect((await workers()).map(({ lastExit }) => lastExit?.reason)).toEqual(['killed', 'stopped']);
});
