import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ManagedProcess, startProcess } from '../../tools/druid-cluster/managed-process.ts';

/**
 * How a peer is set up: as relay, answering with a 307 itself, as relay in front of 1,000 Brokers, as relay that speaks
 * HTTPS to clients, or as relay in front of two tiers of Brokers.
 */
export type Setup = 'relay' | 'redirect' | 'brokers1000' | 'tls' | 'tiers';

/** What a server of HTTPS is started with. */
export interface Tls {
  /** Paths of PEM files: the certificate, its key, and both in one. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
  /**
   * A configuration of OpenSSL (`OPENSSL_CONF`) by which no server gives session tickets: wrk would use them, and no
   * handshake but the first ones would be a whole one.
   */
  readonly openssl: string;
}

/** Where HTTPS is spoken beside plain HTTP, by which the start is waited for. */
export interface Secure {
  readonly port: number;
  readonly tls: Tls;
}

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
  /** In the setup `tls`. */
  readonly tls?: Tls;
  /** Ends a process with the run. */
  readonly own: (process: ManagedProcess) => void;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

export interface RunningPeer {
  readonly url: string;
  readonly process: ManagedProcess;
}

export interface BegunPeer extends RunningPeer {
  /** By `performance.now()`, just before its process was made. */
  readonly since: number;
}

export interface Peer {
  readonly name: string;
  /** A sentence for the notes: what was switched on. */
  readonly about: string;
  readonly setups: readonly Setup[];
  /** Only these workloads, where it differs from another peer in nothing else. */
  readonly workloads?: readonly string[];
  /** Whether it is a build of this gateway. */
  readonly gateway: boolean;
  /** Whether it finds out who leads, so that it takes part in elections. */
  readonly follows: boolean;
  /** Seconds of load before the first measurement. */
  readonly warmUpSeconds: number;
  /** Why it cannot take part; null when it can. */
  missing(): Promise<string | null>;
  version(): Promise<string>;
  /** Resolves when it relays. */
  start(setup: Setup, place: Place): Promise<RunningPeer>;
  /** The same without waiting for it, where the time of a start is measured. */
  begin?(setup: Setup, place: Place): Promise<BegunPeer>;
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
  const environment = place.tls === undefined ? [] : ['env', `OPENSSL_CONF=${place.tls.openssl}`];
  const process = await startProcess({
    name,
    command: 'taskset',
    args: ['-c', String(place.core), ...environment, command, ...args],
    cwd: place.folder,
    logFile: join(place.folder, 'output.log'),
  });
  place.own(process);
  return process;
}
