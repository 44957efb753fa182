import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureDruidJars, ensureZooKeeperJars } from '../druid-cluster/artifacts.ts';
import { loadDataset } from '../druid-cluster/dataset.ts';
import { startDruidCluster } from '../druid-cluster/druid-cluster.ts';
import { startProcess } from '../druid-cluster/managed-process.ts';
import { answers200, waitFor } from '../druid-cluster/wait.ts';
import { Cast } from './cast.ts';

const PICTURE = fileURLToPath(new URL('../../docs/images/first-minutes.svg', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const HOST = 'localhost:8888';
const ADMIN = 'http://localhost:9888';
const run = promisify(execFile);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-recording-'));
const cluster = await startDruidCluster({
  folder,
  druidClassPath: await ensureDruidJars(say),
  zookeeperClassPath: await ensureZooKeeperJars(say),
  report: say,
});
try {
  await writeFile(join(folder, '.curlrc'), 'silent\n');
  await symlink(BUILT, join(folder, 'druid-gateway'));
  const path = [folder, dirname(process.execPath), process.env.PATH ?? ''].join(delimiter);
  const environment = { PATH: path, TERM: 'xterm-256color', ZK: cluster.zookeeper, HOME: folder };
  const gateway = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: [BUILT, 'serve', '--zookeeper', cluster.zookeeper, '--listen', '127.0.0.1:8888'],
    cwd: folder,
    logFile: join(folder, 'gateway.log'),
  });
  await waitFor('the gateway', () => answers200(`${ADMIN}/health/ready`), {
    timeoutMs: 120_000,
    process: gateway,
  });
  await loadDataset(`http://${HOST}`, AbortSignal.timeout(120_000));
  const answer = await fetch(`http://${HOST}/druid/coordinator/v1/leader`);
  const leader = new URL(await answer.text()).port;
  const pid = cluster.nodes.find(({ port }) => String(port) === leader)?.process.pid;
  if (pid === undefined) throw new Error(`no Coordinator listens on port ${leader}`);
  await writeFile(join(folder, 'leader.pid'), String(pid));

  const cast = new Cast({ width: 104, height: 30, environment, cwd: folder });
  await cast.say('One URL in front of a Druid cluster. Is the set-up right?');
  await cast.run('druid-gateway doctor --zookeeper $ZK | grep -A 3 FAIL', 5_000);
  await cast.say('Who leads, and which Brokers answer?');
  await cast.run('clear; druid-gateway status', 4_000);
  await cast.say('A query, to whichever Broker is least busy:');
  const query = `-H 'Content-Type: application/json' -d '{"query":"SELECT 6*7 AS x"}'`;
  await cast.run(`curl -w '\\n' ${HOST}/druid/v2/sql ${query}`, 2_000);
  await cast.say('Kill the leading Coordinator, and ask for it at once: the request waits for the next one.');
  await cast.run('kill -9 $(cat leader.pid)', 0);
  const told = `-o /dev/null -w '%{http_code} after %{time_total} s\\n'`;
  await cast.run(`curl ${told} ${HOST}/druid/coordinator/v1/datasources`, 2_500);
  await cast.run('druid-gateway history', 5_000);

  const file = join(folder, 'first-minutes.cast');
  await writeFile(file, cast.text());
  say('making the picture');
  const made = join(folder, 'first-minutes.svg');
  await run('npx', ['--yes', 'svg-term-cli@2.0.4', '--in', file, '--out', made, '--window', '--no-cursor']);
  await copyFile(made, PICTURE);
  await gateway.stop(10_000);
} finally {
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
}
