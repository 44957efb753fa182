import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, CreateMode, createClient } from 'node-zookeeper-client';
import { ensureZooKeeperJars } from '../../src/demo/artifacts.ts';
import { type ManagedProcess, startProcess } from '../../src/demo/managed-process.ts';
import { freePorts } from '../../src/demo/ports.ts';
import { waitFor } from '../../src/demo/wait.ts';
import { fourLetterWord } from '../../src/demo/zookeeper-server.ts';

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
  const ports = await freePorts(4 * count);
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

/** Writes znodes as Druid's processes do. Every method makes the parents it needs. */
export interface Writer {
  readonly client: Client;
  put(path: string, data?: string | Buffer, mode?: number): Promise<string>;
  remove(path: string): Promise<void>;
  /** A latch child for this URL; yields its path. */
  elect(latch: string, origin: string): Promise<string>;
  announce(folder: string, nodeType: string, port: number): Promise<string>;
  close(): void;
}

export async function connectWriter(connect: string, auth?: string): Promise<Writer> {
  const client = createClient(connect, { sessionTimeout: 30_000 });
  if (auth !== undefined) client.addAuthInfo('digest', Buffer.from(auth));
  const connected = new Promise<void>((resolve) => client.once('connected', () => resolve()));
  client.connect();
  await connected;
  const done =
    <T>(resolve: (value: T) => void, reject: (error: Error) => void) =>
    (error: unknown, value: T): void =>
      error ? reject(new Error(String(error))) : resolve(value);
  const writer: Writer = {
    client,
    async put(path, data = '', mode = CreateMode.PERSISTENT) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '') await new Promise<string>((a, b) => client.mkdirp(parent, done(a, b)));
      return new Promise<string>((a, b) => client.create(path, Buffer.from(data), mode, done(a, b)));
    },
    remove: (path) => new Promise<void>((a, b) => client.remove(path, -1, done(a, b) as never)),
    elect(latch, origin) {
      const name = `_c_${crypto.randomUUID()}-latch-`;
      return writer.put(`${latch}/${name}`, origin, CreateMode.EPHEMERAL_SEQUENTIAL);
    },
    announce(folder, nodeType, port) {
      const druidNode = { service: `druid/${nodeType}`, host: '127.0.0.1', plaintextPort: port, tlsPort: -1 };
      const json = JSON.stringify({ druidNode, nodeType, services: {} });
      return writer.put(`${folder}/127.0.0.1:${port}`, json, CreateMode.EPHEMERAL);
    },
    close: () => client.close(),
  };
  return writer;
}
