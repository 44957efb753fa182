import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ManagedProcess, startProcess } from './managed-process.ts';
import { waitFor } from './wait.ts';
import { fourLetterWord } from './zookeeper-server.ts';

export interface EnsembleOptions {
  readonly servers: number;
  readonly tickMs?: number;
  /** PEM files for TLS on a second port, with client certificates needed. */
  readonly tls?: { readonly keyStore: string; readonly trustStore: string };
  /** Options of the JVM in place of those by which it starts soon and stays small. */
  readonly java?: readonly string[];
}

const SMALL = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx96m'];

/** Where an ensemble is: `PORTS_OF_SERVER` ports for each server. */
export interface EnsemblePlace {
  readonly folder: string;
  readonly classPath: string;
  readonly ports: readonly number[];
  readonly signal?: AbortSignal;
}

/** For clients, for the quorum, for elections, for clients by TLS. */
export const PORTS_OF_SERVER = 4;

export interface EnsembleServer {
  readonly name: string;
  readonly port: number;
  /** 0 without TLS. */
  readonly securePort: number;
  readonly running: boolean;
  /** 0 before it was started. */
  readonly pid: number;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same data or on none. */
  start(wipe?: boolean): Promise<void>;
  /** The answer to a four-letter word. */
  ask(word: string): Promise<string>;
  /** What it says it is: `leader`, `follower`, `standalone`; null when it does not serve. */
  mode(): Promise<string | null>;
}

/** Real ZooKeeper servers as processes of their own, on loopback. */
export interface Ensemble {
  readonly servers: readonly EnsembleServer[];
  /** A connect string for all servers. */
  readonly connect: string;
  /** Resolves when this many servers serve. */
  serving(count: number): Promise<void>;
  /** Ends every process; the folder stays. */
  close(): Promise<void>;
}

/** Starts the servers at once and waits until all serve; ends them all if that fails. */
export async function startZooKeeperEnsemble(
  options: EnsembleOptions,
  place: EnsemblePlace,
): Promise<Ensemble> {
  const { servers: count } = options;
  const servers = Array.from({ length: count }, (_, i) => createServer(i, options, place));
  const ensemble: Ensemble = {
    servers,
    connect: servers.map((server) => `127.0.0.1:${server.port}`).join(','),
    async serving(wanted) {
      const all = async (): Promise<boolean> => {
        const modes = await Promise.all(
          servers.map((server) => (server.running ? server.mode() : Promise.resolve(null))),
        );
        return modes.filter((mode) => mode !== null).length >= wanted;
      };
      const { signal } = place;
      const limits = { timeoutMs: 60_000, intervalMs: 50 };
      await waitFor(
        `${wanted} ZooKeeper servers`,
        all,
        signal === undefined ? limits : { ...limits, signal },
      );
    },
    async close() {
      await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    },
  };
  try {
    await Promise.all(servers.map((server) => server.start()));
    await ensemble.serving(count);
    return ensemble;
  } catch (error) {
    await ensemble.close();
    throw error;
  }
}

function createServer(i: number, options: EnsembleOptions, place: EnsemblePlace): EnsembleServer {
  const { tls } = options;
  const name = `zookeeper-${i + 1}`;
  const own = join(place.folder, String(i + 1));
  const data = join(own, 'data');
  const config = join(own, 'zoo.cfg');
  const port = portOf(place, 0, i);
  let process: ManagedProcess | null = null;
  return {
    name,
    port,
    securePort: tls === undefined ? 0 : portOf(place, 3, i),
    get running() {
      return process?.running ?? false;
    },
    get pid() {
      return process?.pid ?? 0;
    },
    async kill(signal) {
      process?.kill(signal);
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await process?.ended;
    },
    async start(wipe = false) {
      if (wipe) await rm(data, { recursive: true });
      await mkdir(data, { recursive: true });
      await writeFile(join(data, 'myid'), String(i + 1));
      await writeFile(config, configuration(i, options, place, data));
      process = await startProcess({
        name,
        command: 'java',
        args: [
          ...(options.java ?? SMALL),
          '-Dzookeeper.DigestAuthenticationProvider.enabled=true',
          '-cp',
          place.classPath,
          'org.apache.zookeeper.server.quorum.QuorumPeerMain',
          config,
        ],
        cwd: own,
        logFile: join(own, 'log.txt'),
      });
    },
    ask: (word) => fourLetterWord(port, word),
    async mode() {
      return /Mode: (\w+)/.exec(await fourLetterWord(port, 'srvr'))?.[1] ?? null;
    },
  };
}

function portOf({ ports }: EnsemblePlace, kind: number, i: number): number {
  return ports[PORTS_OF_SERVER * i + kind] ?? 0;
}

function configuration(
  i: number,
  { servers, tickMs = 200, tls }: EnsembleOptions,
  place: EnsemblePlace,
  data: string,
): string {
  const quorum = Array.from(
    { length: servers },
    (_, peer) => `server.${peer + 1}=127.0.0.1:${portOf(place, 1, peer)}:${portOf(place, 2, peer)}`,
  );
  const lines = [
    `tickTime=${tickMs}`,
    // 20 ticks by default, which a server that starts on a busy machine outlasts.
    'maxSessionTimeout=60000',
    'initLimit=20',
    'syncLimit=5',
    `dataDir=${data}`,
    `clientPort=${portOf(place, 0, i)}`,
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    'maxClientCnxns=0',
    ...(servers > 1 ? quorum : []),
    ...(tls === undefined
      ? []
      : [
          `secureClientPort=${portOf(place, 3, i)}`,
          'secureClientPortAddress=127.0.0.1',
          'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
          `ssl.keyStore.location=${tls.keyStore}`,
          `ssl.trustStore.location=${tls.trustStore}`,
          'ssl.clientAuth=need',
        ]),
    '',
  ];
  return lines.join('\n');
}
