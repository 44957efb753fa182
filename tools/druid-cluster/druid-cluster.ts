import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Report } from './artifacts.ts';
import {
  type DruidNodeSpec,
  type DruidRole,
  type ExtraProperties,
  javaFlags,
  LOG4J_CONFIGURATION,
  runtimeProperties,
} from './druid-properties.ts';
import { type ManagedProcess, startProcess } from './managed-process.ts';
import { freePorts } from './ports.ts';
import { answers200, waitFor } from './wait.ts';
import { startZooKeeperServer } from './zookeeper-server.ts';

export interface DruidClusterOptions {
  /** Holds everything that the cluster writes. */
  readonly folder: string;
  readonly druidClassPath: string;
  readonly zookeeperClassPath: string;
  /** By default two of each role that can be doubled. */
  readonly waves?: Waves;
  readonly extraProperties?: ExtraProperties;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

/** One Druid process. */
export interface DruidNode {
  readonly role: DruidRole;
  readonly name: string;
  readonly port: number;
  readonly process: ManagedProcess;
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
 * What is started at once, and what after that. Masters that make the tables of a fresh metadata store at the same
 * time wait for each other's locks, for minutes.
 */
export type Waves = readonly (readonly (readonly [role: DruidRole, name: string])[])[];

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
const START_TIMEOUT_MS = 240_000;

/** Starts ZooKeeper, Derby and all Druid processes, and waits until each is healthy; ends them all if one is not. */
export async function startDruidCluster(options: DruidClusterOptions): Promise<DruidCluster> {
  const cluster = new LocalCluster(options);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

class LocalCluster implements DruidCluster {
  readonly #options: DruidClusterOptions;
  readonly #report: Report;
  readonly #nodes = new Map<string, DruidNode>();
  readonly #specs = new Map<string, DruidNodeSpec>();
  readonly #others: ManagedProcess[] = [];
  #closed = false;
  #zookeeperPort = 0;
  #derbyPort = 0;

  constructor(options: DruidClusterOptions) {
    this.#options = options;
    this.#report = options.report ?? (() => {});
  }

  get zookeeper(): string {
    return `127.0.0.1:${this.#zookeeperPort}`;
  }

  get nodes(): readonly DruidNode[] {
    return [...this.#nodes.values()];
  }

  node(name: string): DruidNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node has the name ${name}`);
    return node;
  }

  async start(): Promise<void> {
    const began = performance.now();
    const waves = this.#options.waves ?? HIGHLY_AVAILABLE;
    const names = waves.flat();
    const [zookeeperPort = 0, derbyPort = 0, ...ports] = await freePorts(2 + 2 * names.length);
    this.#zookeeperPort = zookeeperPort;
    this.#derbyPort = derbyPort;
    for (const [i, [role, name]] of names.entries()) {
      this.#specs.set(name, { role, name, port: ports[2 * i] ?? 0, idleDerbyPort: ports[2 * i + 1] ?? 0 });
    }
    this.#report(`starting ZooKeeper on 127.0.0.1:${zookeeperPort}`);
    await Promise.all([this.#startZooKeeper(), this.#startDerby()]);
    this.#report(`starting ${names.length} Druid processes`);
    let up = 0;
    for (const wave of waves) {
      await Promise.all(
        wave.map(async ([, name]) => {
          await this.restart(name);
          up++;
          const seconds = Math.round((performance.now() - began) / 1000);
          this.#report(`  ${name} is up (${up} of ${names.length}, ${seconds} s)`);
        }),
      );
    }
  }

  async restart(name: string): Promise<DruidNode> {
    const spec = this.#specs.get(name);
    if (spec === undefined) throw new Error(`no node has the name ${name}`);
    const { folder, druidClassPath, extraProperties, signal } = this.#options;
    const own = join(folder, name);
    const temporary = join(own, 'tmp');
    await mkdir(temporary, { recursive: true });
    const places = { folder, zookeeperPort: this.#zookeeperPort, derbyPort: this.#derbyPort };
    await writeFile(join(own, 'runtime.properties'), runtimeProperties(spec, places, extraProperties));
    await writeFile(join(own, 'log4j2.xml'), LOG4J_CONFIGURATION);
    signal?.throwIfAborted();
    const process = await startProcess({
      name,
      command: 'java',
      args: [
        ...javaFlags(spec.role),
        `-Djava.io.tmpdir=${temporary}`,
        `-Dlog4j.configurationFile=${join(own, 'log4j2.xml')}`,
        '-cp',
        `${own}:${druidClassPath}`,
        'org.apache.druid.cli.Main',
        'server',
        spec.role,
      ],
      cwd: own,
      logFile: join(own, 'log.txt'),
    });
    const node: DruidNode = { role: spec.role, name, port: spec.port, process };
    this.#nodes.set(name, node);
    if (this.#closed) process.kill('SIGKILL');
    await waitFor(`${name} to be healthy`, () => answers200(`http://127.0.0.1:${spec.port}/status/health`), {
      timeoutMs: START_TIMEOUT_MS,
      process,
      ...(signal === undefined ? {} : { signal }),
    });
    return node;
  }

  async add(role: DruidRole, service?: string): Promise<DruidNode> {
    const [port = 0, idleDerbyPort = 0] = await freePorts(2);
    const name = `${role}-at-${port}`;
    const own = service === undefined ? {} : { service };
    this.#specs.set(name, { role, name, port, idleDerbyPort, ...own });
    return this.restart(name);
  }

  async remove(name: string): Promise<void> {
    const { process } = this.node(name);
    process.kill('SIGKILL');
    await process.ended;
    this.#nodes.delete(name);
    this.#specs.delete(name);
  }

  async close(): Promise<void> {
    // What is being started at this moment ends as soon as it is there.
    this.#closed = true;
    const processes = [...this.nodes.map(({ process }) => process), ...this.#others];
    for (const process of processes) process.kill('SIGKILL');
    await Promise.all(processes.map(({ ended }) => ended));
  }

  #keep(server: ManagedProcess): void {
    this.#others.push(server);
    if (this.#closed) server.kill('SIGKILL');
  }

  async #startZooKeeper(): Promise<void> {
    const { folder, zookeeperClassPath, signal } = this.#options;
    const server = await startZooKeeperServer({
      folder: join(folder, 'zookeeper'),
      classPath: zookeeperClassPath,
      port: this.#zookeeperPort,
      ...(signal === undefined ? {} : { signal }),
    });
    this.#keep(server);
  }

  /** The metadata store, apart from the Coordinators: theirs would end with the first of them. */
  async #startDerby(): Promise<void> {
    const { folder, druidClassPath, signal } = this.#options;
    const port = this.#derbyPort;
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
    this.#keep(server);
    await waitFor('Derby', () => accepts(port), {
      timeoutMs: 60_000,
      process: server,
      ...(signal === undefined ? {} : { signal }),
    });
  }
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
