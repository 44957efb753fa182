import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destination } from 'pino';
import { loadConfig } from '../src/config/load.ts';
import { createGateway, type Gateway } from '../src/gateway/gateway.ts';
import { createLogger } from '../src/logs/logger.ts';
import { version } from '../src/version.ts';
import { ensureDruidJars, ensureZooKeeperJars } from '../tools/druid-cluster/artifacts.ts';
import { DATASOURCE, loadDataset, sql } from '../tools/druid-cluster/dataset.ts';
import { type DruidCluster, startDruidCluster } from '../tools/druid-cluster/druid-cluster.ts';
import { isFree } from '../tools/druid-cluster/ports.ts';
import { checkToolchain } from '../tools/druid-cluster/toolchain.ts';
import { DEMO_HELP, type DemoOptions, parseDemoOptions } from './options.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the demo until it is told to end; yields the exit code. Prints to standard output, errors to standard error. */
export async function runDemo(args: readonly string[]): Promise<number> {
  let options: DemoOptions;
  try {
    options = parseDemoOptions(args);
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(DEMO_HELP);
    return 0;
  }
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  // Also a second one: everything is being ended already, and nothing must be left behind.
  for (const name of SIGNALS) process.on(name, onSignal);
  // A terminal that was closed takes no more words; what is left to do is to end everything.
  process.stdout.on('error', onSignal);
  try {
    await demonstrate(options, stop.signal);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    return 1;
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

async function demonstrate(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const { port, adminPort, once, keep } = options;
  await checkPort(port, '--port');
  await checkPort(adminPort, '--admin-port');
  await checkToolchain();
  const zookeeperClassPath = await ensureZooKeeperJars(say);
  const druidClassPath = await ensureDruidJars(say);
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-demo-'));
  let cluster: DruidCluster | null = null;
  let gateway: Gateway | null = null;
  try {
    cluster = await startDruidCluster({ folder, druidClassPath, zookeeperClassPath, report: say, signal });
    const url = `http://localhost:${port}`;
    say(`starting the gateway on ${url}`);
    gateway = startGateway(cluster, options, folder);
    await gateway.start();
    say('loading a small data set through the gateway');
    const count = await loadDataset(url, signal);
    say(`  ${count} rows are there`);
    const query = `SELECT country, SUM(visits) AS visits FROM ${DATASOURCE} GROUP BY country ORDER BY 2 DESC`;
    say(`  ${query}`);
    for (const row of await sql(url, query)) say(`    ${JSON.stringify(row)}`);
    if (once) return;
    for (const line of hints(cluster, url, adminPort, folder)) say(line);
    await ended(signal);
    say('\nending all processes');
  } finally {
    await gateway?.stop();
    await cluster?.close();
    if (keep) say(`data and logs are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

function startGateway(cluster: DruidCluster, { port, adminPort }: DemoOptions, folder: string): Gateway {
  const config = loadConfig({
    flags: {
      zookeeper: cluster.zookeeper,
      listen: `127.0.0.1:${port}`,
      admin: `127.0.0.1:${adminPort}`,
    },
    environment: {},
  });
  const stream = destination({ dest: join(folder, 'gateway.log'), sync: false });
  return createGateway(config, { logger: createLogger({ level: 'info', stream }), version });
}

function hints(cluster: DruidCluster, url: string, adminPort: number, folder: string): string[] {
  const pids = (role: string): string =>
    cluster.nodes
      .filter((node) => node.role === role)
      .map(({ name, port, process: { pid } }) => `${name} on port ${port} is process ${pid}`)
      .join(', ');
  return [
    '',
    `The console:      ${url}`,
    `A query:          curl ${url}/druid/v2/sql -H 'Content-Type: application/json' -d '{"query":"SELECT COUNT(*) FROM ${DATASOURCE}"}'`,
    `The Coordinator:  curl ${url}/druid/coordinator/v1/leader`,
    `The Overlord:     curl ${url}/druid/indexer/v1/tasks`,
    `Who leads:        http://localhost:${adminPort}/, or curl http://localhost:${adminPort}/status`,
    '',
    'Kill the leader (kill -9 PROCESS) and ask again: the requests wait a few seconds for the next one.',
    `  ${pids('coordinator')}`,
    `  ${pids('overlord')}`,
    `Logs are below ${folder}. Ctrl-C ends everything.`,
  ];
}

async function checkPort(port: number, flag: string): Promise<void> {
  if (await isFree(port)) return;
  throw new Error(`port ${port} is in use; end what listens there or choose another port with ${flag}`);
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    // A pending promise alone does not keep the process alive, the gateway's listeners do.
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
