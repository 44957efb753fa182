import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureDruidJars, ensureZooKeeperJars } from '../../src/demo/artifacts.ts';
import { type DruidCluster, startDruidCluster } from '../../src/demo/druid-cluster.ts';
import type { DruidRole } from '../../src/demo/druid-properties.ts';
import { checkToolchain } from '../../src/demo/toolchain.ts';

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
      /** `host:port`. */
      readonly zookeeper: string;
      /**
       * URL: `GET /` lists the nodes; `POST /NAME` starts one that has ended and waits until it is healthy;
       * `PUT /ROLE[?service=SERVICE]` starts another one; `DELETE /NAME` ends one for good.
       */
      readonly control: string;
    };
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

let end = async (): Promise<void> => {};

/** vitest calls this after the last test of the project. */
export async function teardown(): Promise<void> {
  await end();
}

/** One real Druid cluster for all tests of the project: vitest calls this before the first of them. */
export async function setup(project: TestProject): Promise<void> {
  await checkToolchain();
  const zookeeperClassPath = await ensureZooKeeperJars(say);
  const druidClassPath = await ensureDruidJars(say);
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-test-'));
  const cluster = await startDruidCluster({ folder, druidClassPath, zookeeperClassPath, report: say });
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://control');
    const service = searchParams.get('service') ?? undefined;
    void act(cluster, request.method ?? '', pathname.slice(1), service).then(
      () => response.end(JSON.stringify(nodesOf(cluster))),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  // A restart takes longer than Node.js lets a request take by default.
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  project.provide('druid', { zookeeper: cluster.zookeeper, control: `http://127.0.0.1:${port}` });
  end = async () => {
    server.close();
    server.closeAllConnections();
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  };
}

async function act(cluster: DruidCluster, method: string, name: string, service?: string): Promise<void> {
  if (method === 'POST') await cluster.restart(name);
  if (method === 'PUT') await cluster.add(name as DruidRole, service);
  if (method === 'DELETE') await cluster.remove(name);
}

function nodesOf({ nodes }: DruidCluster): NodeInfo[] {
  return nodes.map(({ role, name, port, process: { pid } }) => ({ role, name, port, pid }));
}
