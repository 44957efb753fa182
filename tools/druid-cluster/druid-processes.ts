import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from './artifacts.ts';
import {
  type ClusterPlaces,
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

/** One Druid process. */
export interface DruidNode {
  readonly role: DruidRole;
  readonly name: string;
  readonly port: number;
  readonly process: ManagedProcess;
}

/** What is started at once, and what after that. */
export type Waves = readonly (readonly (readonly [role: DruidRole, name: string])[])[];

export interface DruidProcessesOptions {
  readonly places: ClusterPlaces;
  readonly classPath: string;
  readonly extraProperties?: ExtraProperties;
  /** Beyond `javaFlags`; they win over these. */
  readonly extraFlags?: readonly string[];
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

const START_TIMEOUT_MS = 240_000;

/** The Druid processes of one cluster, each with a port and a folder of its own that a restart keeps. */
export class DruidProcesses {
  readonly #options: DruidProcessesOptions;
  readonly #report: Report;
  readonly #nodes = new Map<string, DruidNode>();
  readonly #specs = new Map<string, DruidNodeSpec>();
  #closed = false;

  constructor(options: DruidProcessesOptions) {
    this.#options = options;
    this.#report = options.report ?? (() => {});
  }

  get nodes(): readonly DruidNode[] {
    return [...this.#nodes.values()];
  }

  /** The node of this name; throws when there is none. */
  node(name: string): DruidNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node has the name ${name}`);
    return node;
  }

  /** Starts them all, wave after wave, and waits until each is healthy. Rejects with the first that is not. */
  async start(waves: Waves): Promise<void> {
    const began = performance.now();
    const names = waves.flat();
    const ports = await freePorts(2 * names.length);
    for (const [i, [role, name]] of names.entries()) {
      this.#specs.set(name, { role, name, port: ports[2 * i] ?? 0, idleDerbyPort: ports[2 * i + 1] ?? 0 });
    }
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

  /** Starts a node again that has ended, on its port, and waits until it is healthy. */
  async restart(name: string): Promise<DruidNode> {
    const spec = this.#specs.get(name);
    if (spec === undefined) throw new Error(`no node has the name ${name}`);
    const { places, classPath, extraProperties, extraFlags = [], signal } = this.#options;
    const own = join(places.folder, name);
    const temporary = join(own, 'tmp');
    await mkdir(temporary, { recursive: true });
    await writeFile(join(own, 'runtime.properties'), runtimeProperties(spec, places, extraProperties));
    await writeFile(join(own, 'log4j2.xml'), LOG4J_CONFIGURATION);
    signal?.throwIfAborted();
    const process = await startProcess({
      name,
      command: 'java',
      args: [
        ...javaFlags(spec.role),
        ...extraFlags,
        `-Djava.io.tmpdir=${temporary}`,
        `-Dlog4j.configurationFile=${join(own, 'log4j2.xml')}`,
        '-cp',
        `${own}:${classPath}`,
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

  /** Starts another node of this role, with a `druid.service` of its own if one is given; waits until it is healthy. */
  async add(role: DruidRole, service?: string): Promise<DruidNode> {
    const [port = 0, idleDerbyPort = 0] = await freePorts(2);
    const name = `${role}-at-${port}`;
    const own = service === undefined ? {} : { service };
    this.#specs.set(name, { role, name, port, idleDerbyPort, ...own });
    return this.restart(name);
  }

  /** Ends a node for good. */
  async remove(name: string): Promise<void> {
    const { process } = this.node(name);
    process.kill('SIGKILL');
    await process.ended;
    this.#nodes.delete(name);
    this.#specs.delete(name);
  }

  /** Ends every process; SIGKILL, since nothing is to be kept. What is being started ends as soon as it is there. */
  async close(): Promise<void> {
    this.#closed = true;
    const processes = this.nodes.map(({ process }) => process);
    for (const process of processes) process.kill('SIGKILL');
    await Promise.all(processes.map(({ ended }) => ended));
  }
}
