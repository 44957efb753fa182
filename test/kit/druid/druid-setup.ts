import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureDruidJars, ensureZooKeeperJars } from '../../../tools/druid-cluster/artifacts.ts';
import { type DruidCluster, startDruidCluster } from '../../../tools/druid-cluster/druid-cluster.ts';
import type { DruidRole } from '../../../tools/druid-cluster/druid-properties.ts';
import { checkToolchain } from '../../../tools/druid-cluster/toolchain.ts';

/** A process of the shared cluster, as tests see it. */
export interface NodeInfo {
  readonly role: DruidRole;
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    druid: {
      /**
       * URL: `GET /` lists the nodes and `GET /zookeeper` answers with the `host:port` of ZooKeeper, each when the
       * cluster is up; `POST /NAME` starts one that has ended and waits until it is healthy; `PUT
       * /ROLE[?service=SERVICE]` starts another one; `DELETE /NAME` ends one for good.
       */
      readonly control: string;
    };
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Shared {
  readonly control: string;
  end(): Promise<void>;
}

/** Projects have modules of their own, and one process. */
const everywhere = globalThis as { druidOfAllProjects?: Promise<Shared> };

/** vitest calls this for each project after the last test of all. */
export async function teardown(): Promise<void> {
  const shared = everywhere.druidOfAllProjects;
  delete everywhere.druidOfAllProjects;
  await (await shared)?.end();
}

/**
 * One real Druid cluster for all tests of all projects: vitest calls this before the first test of any. What it takes
 * is fetched meanwhile, and the first file that asks starts the cluster, so that no test before has it beside it.
 */
export async function setup(project: TestProject): Promise<void> {
  everywhere.druidOfAllProjects ??= prepare();
  const { control } = await everywhere.druidOfAllProjects;
  project.provide('druid', { control });
}

async function prepare(): Promise<Shared> {
  await checkToolchain();
  const zookeeperClassPath = await ensureZooKeeperJars(say);
  const fetched = ensureDruidJars(say);
  // Told to whoever asks for the cluster.
  fetched.catch(() => {});
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-test-'));
  let started: Promise<DruidCluster> | null = null;
  const start = async (): Promise<DruidCluster> =>
    startDruidCluster({ folder, druidClassPath: await fetched, zookeeperClassPath, report: say });
  const server = createServer((request, response) => {
    started ??= start();
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://control');
    const service = searchParams.get('service') ?? undefined;
    void started
      .then((cluster) => act(cluster, method, pathname.slice(1), service))
      .then(
        (answer) => response.end(answer),
        (error: Error) => response.writeHead(500).end(error.message),
      );
  });
  // A restart takes longer than Node.js lets a request take by default.
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    control: `http://127.0.0.1:${port}`,
    async end() {
      server.close();
      server.closeAllConnections();
      await (await started?.catch(() => null))?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function act(cluster: DruidCluster, method: string, name: string, service?: string): Promise<string> {
  if (method === 'GET' && name === 'zookeeper') return cluster.zookeeper;
  if (method === 'POST') await cluster.restart(name);
  if (method === 'PUT') await cluster.add(name as DruidRole, service);
  if (method === 'DELETE') await cluster.remove(name);
  return JSON.stringify(nodesOf(cluster));
}

function nodesOf({ nodes }: DruidCluster): NodeInfo[] {
  return nodes.map(({ role, name, port, process: { pid } }) => ({ role, name, port, pid }));
}
