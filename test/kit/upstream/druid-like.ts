import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testPorts } from '../net/ports.ts';
import type { Faults, Settings } from './druid-like/faults.ts';

const MAIN = fileURLToPath(new URL('druid-like/main.ts', import.meta.url));

/** A process that looks like a Druid node, with a session of its own in ZooKeeper. */
export interface DruidLike {
  readonly role: Settings['role'];
  readonly port: number;
  readonly hostAndPort: string;
  readonly origin: string;
  readonly running: boolean;
  /** Resolves when it serves. */
  start(): Promise<void>;
  /** SIGKILL and SIGTERM resolve when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Replaces its faults; none by default. */
  faults(faults: Partial<Faults>): Promise<void>;
}

/** Druid-like processes that share a ledger of what they carried out. */
export interface DruidLikeCluster {
  readonly nodes: readonly DruidLike[];
  of(role: Settings['role']): readonly DruidLike[];
  /** How often each write was carried out, and by whom. */
  ledger(): Promise<Map<string, string[]>>;
  close(): Promise<void>;
}

export interface DruidLikeOptions {
  readonly zookeeper: string;
  readonly roles: readonly Settings['role'][];
  readonly sessionTimeoutMs?: number;
}

export async function startDruidLike(options: DruidLikeOptions): Promise<DruidLikeCluster> {
  const { zookeeper, roles, sessionTimeoutMs = 2_000 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-like-'));
  const ledger = join(folder, 'ledger.txt');
  await writeFile(ledger, '');
  const ports = await testPorts(roles.length);
  const nodes = roles.map((role, i) =>
    createNode({ role, port: ports[i] ?? 0, zookeeper, sessionTimeoutMs, ledger }),
  );
  // One after the other, so that the first of a role leads.
  for (const node of nodes) await node.start();
  return {
    nodes,
    of: (role) => nodes.filter((node) => node.role === role),
    async ledger() {
      const entries = new Map<string, string[]>();
      for (const line of (await readFile(ledger, 'utf8')).split('\n')) {
        const [who, name] = line.split(' ');
        if (who === undefined || name === undefined) continue;
        entries.set(name, [...(entries.get(name) ?? []), who]);
      }
      return entries;
    },
    async close() {
      await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function createNode(settings: Settings): DruidLike {
  const origin = `http://127.0.0.1:${settings.port}`;
  let child: ChildProcess | null = null;
  const running = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;
  return {
    role: settings.role,
    port: settings.port,
    hostAndPort: `127.0.0.1:${settings.port}`,
    origin,
    get running() {
      return running();
    },
    async start() {
      const started = spawn(process.execPath, [MAIN, JSON.stringify(settings)], {
        stdio: ['ignore', 'pipe', process.env.DRUID_LIKE_LOG === undefined ? 'ignore' : 'inherit'],
      });
      child = started;
      // Also where a test fails before it ends its processes.
      const end = (): void => void started.kill('SIGKILL');
      process.once('exit', end);
      started.once('exit', () => process.off('exit', end));
      const ended = once(started, 'exit').then(([code, signal]) => {
        throw new Error(`the ${settings.role} on ${settings.port} ended with ${code ?? signal}`);
      });
      await Promise.race([once(started.stdout, 'data'), ended]);
      ended.catch(() => {});
    },
    async kill(signal) {
      if (child === null || !running()) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      if (signal === 'SIGKILL') await ended;
      if (signal === 'SIGTERM') {
        child.kill('SIGCONT');
        await ended;
      }
    },
    async faults(faults) {
      const response = await fetch(`${origin}/faults`, { method: 'POST', body: JSON.stringify(faults) });
      if (response.status !== 200) throw new Error(`faults were not taken: ${response.status}`);
    },
  };
}
