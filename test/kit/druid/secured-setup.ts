import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureExtendedDruidJars, ensureZooKeeperJars } from '../../../tools/druid-cluster/artifacts.ts';
import { type DruidCluster, startDruidCluster } from '../../../tools/druid-cluster/druid-cluster.ts';
import type { Waves } from '../../../tools/druid-cluster/druid-processes.ts';
import type { DruidRole } from '../../../tools/druid-cluster/druid-properties.ts';
import { checkToolchain } from '../../../tools/druid-cluster/toolchain.ts';
import type { NodeInfo } from './druid-setup.ts';

/** The users that the cluster has from the start. */
export const ADMIN = { user: 'admin', password: 'admin-s3cret' } as const;
const INTERNAL = { user: 'druid_system', password: 'internal-s3cret' } as const;

/** The secured cluster, as tests see it. */
export interface SecuredCluster {
  /** `host:port`. */
  readonly zookeeper: string;
  readonly nodes: readonly NodeInfo[];
}

declare module 'vitest' {
  interface ProvidedContext {
    secured: {
      /** URL: a GET starts the cluster, unless it is there, and answers with `SecuredCluster`. */
      readonly control: string;
    };
  }
}

/** One process is both masters; two Brokers, so that one of them does not run a query. */
const WAVES: Waves = [
  [
    ['coordinator', 'coordinator'],
    ['broker', 'broker-1'],
    ['broker', 'broker-2'],
    ['historical', 'historical'],
    ['indexer', 'indexer'],
  ],
];

const SECURITY = [
  'druid.auth.authenticatorChain=["basic"]',
  'druid.auth.authenticator.basic.type=basic',
  `druid.auth.authenticator.basic.initialAdminPassword=${ADMIN.password}`,
  `druid.auth.authenticator.basic.initialInternalClientPassword=${INTERNAL.password}`,
  'druid.auth.authenticator.basic.credentialsValidator.type=metadata',
  'druid.auth.authenticator.basic.skipOnFailure=false',
  'druid.auth.authenticator.basic.authorizerName=basic',
  'druid.auth.authenticator.basic.credentialIterations=100',
  'druid.auth.authorizers=["basic"]',
  'druid.auth.authorizer.basic.type=basic',
  'druid.auth.basic.common.pollingPeriod=2000',
  'druid.auth.basic.common.maxRandomDelay=100',
  'druid.escalator.type=basic',
  `druid.escalator.internalClientUsername=${INTERNAL.user}`,
  `druid.escalator.internalClientPassword=${INTERNAL.password}`,
  'druid.escalator.authorizerName=basic',
];

const OF_ROLE: Partial<Record<DruidRole, readonly string[]>> = {
  coordinator: [
    'druid.coordinator.asOverlord.enabled=true',
    'druid.coordinator.asOverlord.overlordService=druid/overlord',
    'druid.indexer.queue.startDelay=PT0.2S',
    'druid.indexer.runner.type=httpRemote',
    'druid.indexer.storage.type=metadata',
  ],
  // A multi-stage query takes two, and one that was cancelled keeps them.
  indexer: ['druid.worker.capacity=6'],
};

const say = (line: string): void => void process.stderr.write(`${line}\n`);

let end = async (): Promise<void> => {};

/** vitest calls this after the last test of all projects. */
export async function teardown(): Promise<void> {
  await end();
}

/**
 * One secured Druid cluster for all tests of the project, on first demand: vitest calls this before the first test of
 * all projects, and a secured cluster is busy with passwords even when nobody asks for anything.
 */
export async function setup(project: TestProject): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-secured-'));
  let cluster: Promise<DruidCluster> | null = null;
  const server = createServer((_, response) => {
    cluster ??= start(folder);
    void cluster.then(
      ({ zookeeper, nodes }) => response.end(JSON.stringify({ zookeeper, nodes: nodes.map(nodeInfo) })),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  project.provide('secured', { control: `http://127.0.0.1:${port}` });
  end = async () => {
    server.close();
    server.closeAllConnections();
    await (await cluster?.catch(() => null))?.close();
    await rm(folder, { recursive: true, force: true });
  };
}

async function start(folder: string): Promise<DruidCluster> {
  await checkToolchain();
  return startDruidCluster({
    folder,
    druidClassPath: await ensureExtendedDruidJars(say),
    zookeeperClassPath: await ensureZooKeeperJars(say),
    waves: WAVES,
    extraProperties: (role) => [...SECURITY, ...(OF_ROLE[role] ?? [])],
    report: say,
  });
}

function nodeInfo({ role, name, port, process: { pid } }: DruidCluster['nodes'][number]): NodeInfo {
  return { role, name, port, pid };
}
