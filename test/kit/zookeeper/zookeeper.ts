import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureZooKeeperJars } from '../../../tools/druid-cluster/artifacts.ts';
import { type ManagedProcess, startProcess } from '../../../tools/druid-cluster/managed-process.ts';
import { waitFor } from '../../../tools/druid-cluster/wait.ts';
import { fourLetterWord } from '../../../tools/druid-cluster/zookeeper-server.ts';
import { testPorts } from '../net/ports.ts';

export interface EnsembleOptions {
  readonly servers: number;
  readonly tickMs?: number;
  /** PEM files for TLS on a second port, with client certificates needed. */
  readonly tls?: { readonly keyStore: string; readonly trustStore: string };
}

export interface EnsembleServer {
  readonly port: number;
  /** 0 without TLS. */
  readonly securePort: number;
  readonly running: boolean;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same data or on none. */
  start(wipe?: boolean): Promise<void>;
  /** The answer to a four-letter word. */
  ask(word: string): Promise<string>;
}

/** Real ZooKeeper servers as processes of their own, on loopback. */
export interface Ensemble {
  readonly servers: readonly EnsembleServer[];
  /** A connect string for all servers. */
  readonly connect: string;
  /** Resolves when this many servers serve. */
  serving(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startEnsemble(options: EnsembleOptions): Promise<Ensemble> {
  const { servers: count, tickMs = 200, tls } = options;
  const classPath = await ensureZooKeeperJars();
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-zookeeper-'));
  const ports = await testPorts(4 * count);
  const port = (kind: number, i: number): number => ports[kind * count + i] ?? 0;
  const quorum = Array.from(
    { length: count },
    (_, i) => `server.${i + 1}=127.0.0.1:${port(1, i)}:${port(2, i)}`,
  );
  const servers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const own = join(folder, String(i + 1));
      const data = join(own, 'data');
      const config = join(own, 'zoo.cfg');
      const prepare = async (): Promise<void> => {
        await mkdir(data, { recursive: true });
        await writeFile(join(data, 'myid'), String(i + 1));
      };
      await prepare();
      const lines = [
        `tickTime=${tickMs}`,
        // 20 ticks by default, which a server that starts on a busy machine outlasts.
        'maxSessionTimeout=60000',
        'initLimit=20',
        'syncLimit=5',
        `dataDir=${data}`,
        `clientPort=${port(0, i)}`,
        'clientPortAddress=127.0.0.1',
        'admin.enableServer=false',
        '4lw.commands.whitelist=*',
        'maxClientCnxns=0',
        ...(count > 1 ? quorum : []),
        ...(tls === undefined
          ? []
          : [
              `secureClientPort=${port(3, i)}`,
              'secureClientPortAddress=127.0.0.1',
              'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
              `ssl.keyStore.location=${tls.keyStore}`,
              `ssl.trustStore.location=${tls.trustStore}`,
              'ssl.clientAuth=need',
            ]),
        '',
      ];
      await writeFile(config, lines.join('\n'));
      let process: ManagedProcess | null = null;
      const server: EnsembleServer = {
        port: port(0, i),
        securePort: tls === undefined ? 0 : port(3, i),
        get running() {
          return process?.running ?? false;
        },
        async kill(signal) {
          process?.kill(signal);
          if (signal === 'SIGKILL' || signal === 'SIGTERM') await process?.ended;
        },
        async start(wipe = false) {
          if (wipe) await rm(data, { recursive: true });
          await prepare();
          process = await startProcess({
            name: `zookeeper-${i + 1}`,
            command: 'java',
            args: [
              '-XX:+UseSerialGC',
              '-XX:TieredStopAtLevel=1',
              '-Xmx96m',
              '-Dzookeeper.DigestAuthenticationProvider.enabled=true',
              '-cp',
              classPath,
              'org.apache.zookeeper.server.quorum.QuorumPeerMain',
              config,
            ],
            cwd: own,
            logFile: join(own, 'log.txt'),
          });
        },
        ask: (word) => fourLetterWord(port(0, i), word),
      };
      await server.start();
      return server;
    }),
  );
  const ensemble: Ensemble = {
    servers,
    connect: servers.map((server) => `127.0.0.1:${server.port}`).join(','),
    async serving(wanted) {
      const all = async (): Promise<boolean> => {
        const answers = await Promise.all(
          servers.map((server) => (server.running ? server.ask('srvr') : Promise.resolve(''))),
        );
        return answers.filter((answer) => answer.includes('Mode:')).length >= wanted;
      };
      await waitFor(`${wanted} ZooKeeper servers`, all, { timeoutMs: 60_000, intervalMs: 50 });
    },
    async close() {
      await Promise.all(servers.map((server) => server.kill('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
  await ensemble.serving(count);
  return ensemble;
}
