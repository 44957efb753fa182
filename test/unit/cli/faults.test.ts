import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atFault, type RunningGateway, startFaultyGateway } from '../../kit/gateway/gateway-process.ts';
import { testPorts } from '../../kit/net/ports.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

let druid: FakeUpstream;
let held: number;
let gateway: RunningGateway | null;
let child: ChildProcess | null;

beforeEach(async () => {
  held = 0;
  gateway = null;
  child = null;
  druid = await startUpstream(({ target }, socket) => {
    if (target.endsWith('/readiness')) socket.write(json(true));
    else if (target === '/status/ready') socket.write(plain('404 Not Found', [], ''));
    else held++;
  });
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await gateway?.stop();
  await druid.close();
});

async function start(
  fault: Record<string, string>,
  keys: Record<string, string> = {},
): Promise<RunningGateway> {
  const settings = { STATIC__BROKERS: druid.origin, ...keys };
  const started = await startFaultyGateway(fault, settings, '--discovery', 'static');
  gateway = started;
  await started.until(({ brokers }) => brokers.some(({ ready }) => ready));
  return started;
}

/** A request that is never answered; resolves when it is cut, with when. */
async function hold({ url }: RunningGateway): Promise<{ readonly cut: Promise<unknown> }> {
  const sent = get(`${url}/druid/v2/datasources`, { agent: false });
  const cut = once(sent, 'error');
  await until(() => held === 1);
  return { cut };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function live({ admin }: RunningGateway): Promise<unknown> {
  const answer = await fetch(`${admin}/health/live`);
  return [answer.status, await answer.json()];
}

test.each(['throws', 'rejects'] as const)(
  'a process that %s what nobody catches ends at once with 70, whatever a client holds open',
  async (what) => {
    const running = await start(atFault(what));
    const { cut } = await hold(running);
    const began = performance.now();
    process.kill(running.pid, 'SIGWINCH');
    expect(await running.ended).toBe(70);
    // Without a drain, which takes half a minute.
    expect(performance.now() - began).toBeLessThan(10_000);
    await cut;
    const faults = running
      .log()
      .split('\n')
      .filter((line) => line.includes('"fatal"'));
    expect(faults.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        level: 'fatal',
        msg: 'a fault of the gateway itself',
        err: { message: 'at fault on purpose', stack: expect.stringContaining('at-fault.ts') },
      },
    ]);
  },
);

test('a fault while it drains ends it at once with 70, too', async () => {
  const running = await start(atFault('throws'));
  const { cut } = await hold(running);
  process.kill(running.pid, 'SIGTERM');
  await until(() => running.log().includes('"draining"'));
  process.kill(running.pid, 'SIGWINCH');
  expect(await running.ended).toBe(70);
  await cut;
});

test('a loop that was stuck for too long is told by /health/live', async () => {
  const running = await start(atFault('busy', 3_000), { HEALTH__LIVE__MAX_STALL: '1500ms' });
  expect(await live(running)).toEqual([200, { status: 'live' }]);
  process.kill(running.pid, 'SIGWINCH');
  while (JSON.stringify(await live(running)) !== '[503,{"status":"not live","reason":"event_loop_stuck"}]');
  expect(await running.stop()).toBe(0);
});

/** The program on ports that are known before it says so. */
async function spawnOnPorts(stdio: StdioOptions, environment: Record<string, string> = {}) {
  const [port = 0, admin = 0] = await testPorts(2);
  const addresses = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`];
  const spawned = spawn(process.execPath, [MAIN, ...addresses, '--zookeeper', '127.0.0.1:1'], {
    stdio,
    env: { ...process.env, ...environment },
  });
  child = spawned;
  return { spawned, url: `http://127.0.0.1:${port}`, ended: once(spawned, 'exit') };
}

test('a process that was frozen is as live as it was', async () => {
  const running = await start({}, { HEALTH__LIVE__MAX_STALL: '1s' });
  process.kill(running.pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  process.kill(running.pid, 'SIGCONT');
  for (let i = 0; i < 10; i++) {
    expect(await live(running)).toEqual([200, { status: 'live' }]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await running.stop()).toBe(0);
});

test('a log that nobody reads does not keep a process that is at fault', async () => {
  const { spawned, url, ended } = await spawnOnPorts(['ignore', 'pipe', 'pipe'], atFault('throws'));
  if (spawned.stdout !== null) await once(spawned.stdout, 'data');
  // More than a pipe holds: each is a line of the log.
  const path = `${url}/nothing/${'x'.repeat(900)}`;
  for (let i = 0; i < 40; i++) {
    await Promise.all(Array.from({ length: 25 }, async () => (await fetch(path)).text()));
  }
  spawned.kill('SIGWINCH');
  await ended;
});

test('nobody need read the line that says where it serves', async () => {
  const { spawned, url, ended } = await spawnOnPorts(['ignore', 'pipe', 'ignore']);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  spawned.stdout?.destroy();
  const serves = (): Promise<boolean> =>
    fetch(`${url}/status/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!over && !(await serves())) await new Promise((resolve) => setTimeout(resolve, 20));
  // By now the line has been written, or is about to be: it goes on for long enough to be hit by that.
  for (let i = 0; i < 20; i++) {
    expect(await serves()).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  spawned.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
