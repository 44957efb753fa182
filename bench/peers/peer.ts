import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ManagedProcess, startProcess } from '../../tools/druid-cluster/managed-process.ts';

/** How a peer is set up: as relay, answering with a 307 itself, or as relay in front of 1,000 Brokers. */
export type Setup = 'relay' | 'redirect' | 'brokers1000';

/** What every peer is told: where it may write, what it may use, and what is behind it. */
export interface Place {
  readonly folder: string;
  readonly core: number;
  /** Nodes as `host:port`. Of the Coordinators any may lead later; the first does now. */
  readonly coordinators: readonly [leader: string, ...others: string[]];
  readonly overlord: string;
  readonly brokers: readonly string[];
  /** Where the same nodes are announced. */
  readonly zookeeper: { readonly connect: string; readonly basePath: string };
  /** Ends a process with the run. */
  readonly own: (process: ManagedProcess) => void;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

export interface RunningPeer {
  readonly url: string;
  readonly process: ManagedProcess;
}

export interface Peer {
  readonly name: string;
  /** A sentence for the notes: what was switched on. */
  readonly about: string;
  readonly setups: readonly Setup[];
  /** Only these workloads, where it differs from another peer in nothing else. */
  readonly workloads?: readonly string[];
  /** Whether it finds out who leads, so that it takes part in elections. */
  readonly follows: boolean;
  /** Seconds of load before the first measurement. */
  readonly warmUpSeconds: number;
  /** Why it cannot take part; null when it can. */
  missing(): Promise<string | null>;
  version(): Promise<string>;
  /** Resolves when it relays. */
  start(setup: Setup, place: Place): Promise<RunningPeer>;
}

const run = promisify(execFile);

/** Both outputs of a program; null when there is no such program. */
export async function outputOf(command: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(command, args);
    return stdout + stderr;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Starts a program that may use one core only. */
export async function startPinned(
  place: Place,
  name: string,
  command: string,
  args: readonly string[],
): Promise<ManagedProcess> {
  const process = await startProcess({
    name,
    command: 'taskset',
    args: ['-c', String(place.core), command, ...args],
    cwd: place.folder,
    logFile: join(place.folder, 'output.log'),
  });
  place.own(process);
  return process;
}
