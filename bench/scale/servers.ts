import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureZooKeeperJars } from '../../tools/druid-cluster/artifacts.ts';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import {
  type Ensemble,
  PORTS_OF_SERVER,
  startZooKeeperEnsemble,
} from '../../tools/druid-cluster/zookeeper-ensemble.ts';
import { outputOf } from '../peers/peer.ts';
import { usage } from '../proc.ts';

/** A heap as for production; no G1, which would take the second core for itself. */
const JAVA = ['-XX:+UseSerialGC', '-Xms256m', '-Xmx1g'];

/** Figures of all servers of an ensemble together. */
export interface ServerFigures {
  readonly cpuUs: number;
  /** Packets of clients, by `mntr`: requests and pings one way, answers and events the other. */
  readonly received: number;
  readonly sent: number;
  readonly rssBytes: number;
}

/** What `mntr` says of watches and sessions, all servers together. */
export interface Holdings {
  readonly watches: number;
  readonly connections: number;
}

export async function startServers(servers: number, folder: string, signal: AbortSignal): Promise<Ensemble> {
  const own = join(folder, `zookeeper-${servers}`);
  await mkdir(own);
  return startZooKeeperEnsemble(
    { servers, tickMs: 2_000, java: JAVA },
    {
      folder: own,
      classPath: await ensureZooKeeperJars(),
      ports: await freePorts(PORTS_OF_SERVER * servers),
      signal,
    },
  );
}

export async function serverFigures({ servers }: Ensemble): Promise<ServerFigures> {
  const each = await Promise.all(
    servers.map(async ({ pid, ask }) => ({ ...(await usage(pid)), mntr: parseMntr(await ask('mntr')) })),
  );
  const sum = (of: (one: (typeof each)[number]) => number): number =>
    each.reduce((total, one) => total + of(one), 0);
  return {
    cpuUs: sum(({ cpuUs }) => cpuUs),
    rssBytes: sum(({ rssBytes }) => rssBytes),
    received: sum(({ mntr }) => mntr.get('zk_packets_received') ?? 0),
    sent: sum(({ mntr }) => mntr.get('zk_packets_sent') ?? 0),
  };
}

export async function holdings({ servers }: Ensemble): Promise<Holdings> {
  const each = await Promise.all(servers.map(async ({ ask }) => parseMntr(await ask('mntr'))));
  const sum = (key: string): number => each.reduce((total, mntr) => total + (mntr.get(key) ?? 0), 0);
  return { watches: sum('zk_watch_count'), connections: sum('zk_num_alive_connections') };
}

/** Bytes of the heaps that are in use after a collection, of all servers; NaN without a JDK's `jcmd`. */
export async function liveHeap({ servers }: Ensemble): Promise<number> {
  let total = 0;
  for (const { pid } of servers) {
    await outputOf('jcmd', String(pid), 'GC.run');
    total += parseHeap((await outputOf('jcmd', String(pid), 'GC.heap_info')) ?? '');
  }
  return total;
}

/** `mntr`: a key and a number in each line. */
export function parseMntr(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [key = '', value = ''] = line.split('\t');
      return value !== '' && Number.isFinite(Number(value)) ? [[key, Number(value)] as const] : [];
    }),
  );
}

/** Used bytes of both generations of the serial collector, from `jcmd GC.heap_info`; NaN of other text. */
export function parseHeap(text: string): number {
  const used = [...text.matchAll(/generation\s+total \d+K, used (\d+)K/g)].map(([, kilobytes]) =>
    Number(kilobytes),
  );
  return used.length === 0 ? Number.NaN : used.reduce((sum, one) => sum + one, 0) * 1_024;
}
