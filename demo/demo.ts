import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gateway } from '../src/gateway/gateway.ts';
import {
  ensureDruidJars,
  ensureExtendedDruidJars,
  ensureZooKeeperJars,
} from '../tools/druid-cluster/artifacts.ts';
import { DATASOURCE, type Loaded, loadDataset, sql } from '../tools/druid-cluster/dataset.ts';
import { type DruidCluster, startDruidCluster } from '../tools/druid-cluster/druid-cluster.ts';
import { isFree } from '../tools/druid-cluster/ports.ts';
import { needPostgresql } from '../tools/druid-cluster/postgresql-programs.ts';
import { checkToolchain, MissingTool } from '../tools/druid-cluster/toolchain.ts';
import { chaosOfDemo } from './chaos/demo.ts';
import { demoGateway } from './gateway.ts';
import { type HaCluster, startHaCluster } from './ha/ha-cluster.ts';
import { haHints, hints } from './hints.ts';
import { DEMO_HELP, type DemoOptions, parseDemoOptions } from './options.ts';
import { aborted, type Ending, listenForEnding } from './signals.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the demo until it is told to end; yields the exit code. Prints to standard output, errors to standard error. */
export async function runDemo(args: readonly string[]): Promise<number> {
  let options: DemoOptions;
  try {
    options = parseDemoOptions(args);
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}; npm run demo -- --help shows all options\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(DEMO_HELP);
    return 0;
  }
  const ending = listenForEnding();
  try {
    return await demonstrate(options, ending);
  } catch (error) {
    if (ending.abandon.aborted) return 130;
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    return error instanceof MissingTool ? 2 : 1;
  } finally {
    ending.release();
  }
}

async function demonstrate(options: DemoOptions, ending: Ending): Promise<number> {
  const { port, adminPort } = options;
  await checkPort(port, '--port');
  await checkPort(adminPort, '--admin-port');
  await checkToolchain();
  if (options.ha) await needPostgresql();
  const zookeeperClassPath = await ensureZooKeeperJars(say);
  const druidClassPath = await (options.ha ? ensureExtendedDruidJars(say) : ensureDruidJars(say));
  const signal = ending.abandon;
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-demo-'));
  const wanted = { folder, druidClassPath, zookeeperClassPath, report: say, signal };
  const url = `http://localhost:${port}`;
  let cluster: DruidCluster | HaCluster | null = null;
  let gateway: Gateway | null = null;
  try {
    const cuttable = options.chaos !== null;
    cluster = await (options.ha ? startHaCluster({ ...wanted, cuttable }) : startDruidCluster(wanted));
    const { zookeeper } = cluster;
    say(`starting the gateway on ${url}`);
    gateway = demoGateway({ zookeeper, port, adminPort, folder });
    await gateway.start();
    const loaded = await loadAndQuery(url, signal);
    if (options.chaos !== null && 'postgresql' in cluster) {
      return await chaosOfDemo({ options, cluster, loaded, ending, say });
    }
    if (options.once) return 0;
    const lines =
      'postgresql' in cluster ? haHints(cluster, options, folder) : hints(cluster, options, folder);
    for (const line of lines) say(line);
    await aborted(ending.stop);
    say('\nending all processes');
    return 0;
  } finally {
    await gateway?.stop();
    await cluster?.close();
    if (options.keep) say(`data and logs are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

async function loadAndQuery(url: string, signal: AbortSignal): Promise<Loaded> {
  say('loading a small data set through the gateway');
  const loaded = await loadDataset(url, signal);
  say(`  ${loaded.rows} rows are there`);
  const query = `SELECT country, SUM(visits) AS visits FROM ${DATASOURCE} GROUP BY country ORDER BY 2 DESC`;
  say(`  ${query}`);
  for (const row of await sql(url, query)) say(`    ${JSON.stringify(row)}`);
  return loaded;
}

async function checkPort(port: number, flag: string): Promise<void> {
  if (await isFree(port)) return;
  throw new Error(`port ${port} is in use; end what listens there or choose another port with ${flag}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
