import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A link through a network namespace of its own: when it is down packets vanish, and neither end is told. */
export interface NamespaceLink {
  /** Leads to the target, as long as the link is up. */
  readonly host: string;
  readonly port: number;
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

const FORWARDER = fileURLToPath(new URL('forwarder.ts', import.meta.url));
const PORT = 2_181;
const run = promisify(execFile);

/** A link to a port on loopback; null where this machine does not let us make namespaces, with why. */
export async function createLink(target: number): Promise<NamespaceLink | string> {
  const id = process.pid % 100_000;
  // Networks of their own for those who run this at the same time.
  const network = `10.${200 + (id % 50)}.${Math.floor(id / 50) % 250}`;
  const [outside, inside] = [`${network}.1`, `${network}.2`];
  const [space, outer, inner] = [`dgw${id}`, `dgwo${id}`, `dgwi${id}`];
  const ip = (...args: string[]): Promise<unknown> => run('ip', args);
  const within = (...args: string[]): Promise<unknown> => ip('-n', space, ...args);
  const forwarders: ChildProcess[] = [];

  async function forward(prefix: readonly string[], ...args: string[]): Promise<void> {
    const [command = '', ...rest] = [...prefix, process.execPath, FORWARDER, ...args];
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    forwarders.push(child);
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('the forwarder ended'))),
    ]);
  }

  async function close(): Promise<void> {
    for (const child of forwarders) child.kill('SIGKILL');
    await ip('netns', 'del', space).catch(() => {});
  }

  try {
    await ip('netns', 'add', space);
    await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', space);
    await ip('address', 'add', `${outside}/30`, 'dev', outer);
    await ip('link', 'set', outer, 'up');
    await within('address', 'add', `${inside}/30`, 'dev', inner);
    await within('link', 'set', inner, 'up');
    await within('link', 'set', 'lo', 'up');
  } catch (error) {
    await close();
    return String((error as Error).message).split('\n')[0] ?? 'unknown';
  }
  // Out of the namespace, and from the veth's outer end to loopback.
  await forward([], outside, String(PORT), '127.0.0.1', String(target));
  await forward(['ip', 'netns', 'exec', space], inside, String(PORT), outside, String(PORT));
  return {
    host: inside,
    port: PORT,
    down: async () => void (await within('link', 'set', inner, 'down')),
    up: async () => void (await within('link', 'set', inner, 'up')),
    close,
  };
}
