import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Report } from './artifacts.ts';
import { type DruidNode, DruidProcesses, type Waves } from './druid-processes.ts';
import { type DruidRole, derbyMetadata, type ExtraProperties } from './druid-properties.ts';
import { type ManagedProcess, startProcess } from './managed-process.ts';
import { freePorts } from './ports.ts';
import { waitFor } from './wait.ts';
import { startZooKeeperServer } from './zookeeper-server.ts';

export interface DruidClusterOptions {
  /** Holds everything that the cluster writes. */
  readonly folder: string;
  readonly druidClassPath: string;
  readonly zookeeperClassPath: string;
  /** By default two of each role that can be doubled. */
  readonly waves?: Waves;
  readonly extraProperties?: ExtraProperties;
  /** Flags of the Java virtual machine for all Druid processes; they win over those that every process has. */
  readonly extraFlags?: readonly string[];
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

/** A real Druid cluster of single processes on loopback. */
export interface DruidCluster {
  /** `host:port` of its ZooKeeper server. */
  readonly zookeeper: string;
  readonly nodes: readonly DruidNode[];
  /** The node of this name; throws when there is none. */
  node(name: string): DruidNode;
  /** Starts a node again that has ended, on its port, and waits until it is healthy. */
  restart(name: string): Promise<DruidNode>;
  /** Starts another node of this role, with a `druid.service` of its own if one is given; waits until it is healthy. */
  add(role: DruidRole, service?: string): Promise<DruidNode>;
  /** Ends a node for good. */
  remove(name: string): Promise<void>;
  /** Ends every process; SIGKILL, since nothing is to be kept. */
  close(): Promise<void>;
}

/**
 * Masters that make the tables of a fresh Derby at the same time wait for each other's locks, for minutes, so they
 * come one after the other.
 */
const HIGHLY_AVAILABLE: Waves = [
  [
    ['coordinator', 'coordinator-1'],
    ['broker', 'broker-1'],
    ['broker', 'broker-2'],
    ['historical', 'historical'],
    ['indexer', 'indexer'],
  ],
  [
    ['coordinator', 'coordinator-2'],
    ['overlord', 'overlord-1'],
  ],
  [['overlord', 'overlord-2']],
];

/** Starts ZooKeeper, Derby and all Druid processes, and waits until each is healthy; ends them all if one is not. */
export async function startDruidCluster(options: DruidClusterOptions): Promise<DruidCluster> {
  const { folder, druidClassPath, extraProperties, extraFlags, report = () => {}, signal } = options;
  const [zookeeperPort = 0, derbyPort = 0] = await freePorts(2);
  const zookeeper = `127.0.0.1:${zookeeperPort}`;
  const druid = new DruidProcesses({
    places: { folder, zookeeper: () => zookeeper, metadata: derbyMetadata(folder, derbyPort) },
    classPath: druidClassPath,
    report,
    ...(extraProperties === undefined ? {} : { extraProperties }),
    ...(extraFlags === undefined ? {} : { extraFlags }),
    ...(signal === undefined ? {} : { signal }),
  });
  const stores: ManagedProcess[] = [];
  let closed = false;
  const keep = (server: ManagedProcess): void => {
    stores.push(server);
    if (closed) server.kill('SIGKILL');
  };
  const close = async (): Promise<void> => {
    closed = true;
    for (const server of stores) server.kill('SIGKILL');
    await Promise.all([druid.close(), ...stores.map(({ ended }) => ended)]);
  };
  try {
    report(`starting ZooKeeper on ${zookeeper}`);
    await Promise.all([startZooKeeper(options, zookeeperPort, keep), startDerby(options, derbyPort, keep)]);
    await druid.start(options.waves ?? HIGHLY_AVAILABLE);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    zookeeper,
    get nodes() {
      return druid.nodes;
    },
    node: (name) => druid.node(name),
    restart: (name) => druid.restart(name),
    add: (role, service) => druid.add(role, service),
    remove: (name) => druid.remove(name),
    close,
  };
}

type Keep = (server: ManagedProcess) => void;

async function startZooKeeper(options: DruidClusterOptions, port: number, keep: Keep): Promise<void> {
  const { folder, zookeeperClassPath, signal } = options;
  const server = await startZooKeeperServer({
    folder: join(folder, 'zookeeper'),
    classPath: zookeeperClassPath,
    port,
    ...(signal === undefined ? {} : { signal }),
  });
  keep(server);
}

/** The metadata store, apart from the Coordinators: theirs would end with the first of them. */
async function startDerby(options: DruidClusterOptions, port: number, keep: Keep): Promise<void> {
  const { folder, druidClassPath, signal } = options;
  await mkdir(folder, { recursive: true });
  const server = await startProcess({
    name: 'derby',
    command: 'java',
    args: [
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xmx128m',
      '-cp',
      druidClassPath,
      'org.apache.derby.drda.NetworkServerControl',
      'start',
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-noSecurityManager',
    ],
    cwd: folder,
    logFile: join(folder, 'derby-server.log'),
  });
  keep(server);
  await waitFor('Derby', () => accepts(port), {
    timeoutMs: 60_000,
    process: server,
    ...(signal === undefined ? {} : { signal }),
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
