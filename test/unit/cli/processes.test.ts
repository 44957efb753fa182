import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-processes-'));
afterAll(() => rmSync(folder, { recursive: true }));

let child: ChildProcess | null;
let err: string;
let admin: string;

beforeEach(() => {
  child = null;
  err = '';
});
afterEach(async () => {
  if (child === null || child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
});

/** The gateway with two workers; resolves with the ids of its processes, the primary's first. */
async function start(environment: Record<string, string>, ...args: string[]): Promise<number[]> {
  const env = {
    PATH: process.env.PATH ?? '',
    DRUID_GATEWAY__WORKERS: '2',
    DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
    DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
    ...environment,
  };
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const started = spawn(process.execPath, [MAIN, 'serve', '--zookeeper', '127.0.0.1:1', ...args], {
    env,
    stdio: [...stdio],
  });
  child = started;
  started.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  if (started.stdout === null) throw new Error('it says nothing');
  const [line] = (await once(createInterface(started.stdout), 'line')) as [string];
  admin = /admin on (\S+)$/.exec(line)?.[1] ?? '';
  const { workers } = (await (await fetch(`${admin}/status`)).json()) as { workers: { pid: number }[] };
  return [started.pid ?? 0, ...workers.map(({ pid }) => pid)];
}

test('SIGUSR1 opens the debugger of no process, and ends none', async () => {
  const pids = await start({});
  for (const pid of pids) process.kill(pid, 'SIGUSR1');
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const pid of pids) expect(process.kill(pid, 0)).toBe(true);
  expect((await fetch(`${admin}/health/live`)).status).toBe(200);
  expect(err).not.toContain('Debugger');
});

test.runIf(process.platform === 'linux')('workers have no secret in their environment', async () => {
  const properties = join(folder, 'common.runtime.properties');
  writeFileSync(
    properties,
    'druid.zk.service.user=druid\ndruid.zk.service.pwd={"type":"environment","variable":"ZK_PASSWORD"}\n',
  );
  const [, ...workers] = await start(
    {
      ZK_PASSWORD: 'secret-in-a-variable-of-druid',
      ANYTHING_ELSE: 'stays',
      DRUID_GATEWAY__ZOOKEEPER__AUTH: '{ user: u, password: secret-in-a-section }',
      DRUID_GATEWAY__BROKERS__RULES:
        '[{ match: { header: "X-Api-Key: secret-in-a-rule" }, service: druid/broker }]',
    },
    '--druid-properties',
    properties,
  );
  expect(workers).toHaveLength(2);
  for (const pid of workers) {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('ANYTHING_ELSE=stays');
    expect(environment).not.toContain('secret-in');
  }
  const status = await (await fetch(`${admin}/status`)).text();
  expect(status).toContain('"workers":2');
  expect(status + err).not.toContain('secret-in');
});
