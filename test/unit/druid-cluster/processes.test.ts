import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startDruidCluster } from '../../../tools/druid-cluster/druid-cluster.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-processes-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function ended(pids: readonly number[]): Promise<void> {
  while (pids.some(runs)) await sleep(10);
}

test('a process ends with its parent, however that came', async () => {
  const module = new URL('../../../tools/druid-cluster/managed-process.ts', import.meta.url);
  const script = `
    import { startProcess } from ${JSON.stringify(module.href)};
    const { pid } = await startProcess({
      name: 'sleeper', command: 'sleep', args: ['1000'], cwd: '.', logFile: ${JSON.stringify(join(folder, 'log'))},
    });
    process.stdout.write(String(pid));
    setTimeout(() => { throw new Error('unexpected') });
  `;
  const parent = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const { stdout } = (await parent.catch((error: unknown) => error)) as { readonly stdout: string };
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(0);
  await ended([pid]);
});

test('a cluster that is not wanted any more while it starts leaves no process behind', async () => {
  const java = join(folder, 'java');
  const list = join(folder, 'pids');
  await writeFile(java, `#!/bin/sh\necho $$ >> ${list}\nexec sleep 1000\n`);
  await chmod(java, 0o755);
  await writeFile(list, '');
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  const stop = new AbortController();
  const starting = startDruidCluster({
    folder: join(folder, 'cluster'),
    druidClassPath: '',
    zookeeperClassPath: '',
    signal: stop.signal,
  });
  const pids = async (): Promise<number[]> =>
    (await readFile(list, 'utf8')).split('\n').filter(Boolean).map(Number);
  // ZooKeeper and Derby.
  while ((await pids()).length < 2) await sleep(10);
  stop.abort();
  await expect(starting).rejects.toThrow();
  await ended(await pids());
});
