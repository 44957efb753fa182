import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import type { Peer, Place } from './peer.ts';
import { startPinned } from './peer.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PACKAGE = new URL('../../package.json', import.meta.url);

type Keys = Readonly<Record<string, string>>;

/** As much of `/status` as says that it relays. */
interface Status {
  readonly leaders: Readonly<Record<'coordinator' | 'overlord', { readonly state: string }>>;
  readonly brokers: readonly { readonly ready: boolean }[];
}

function variables(keys: Keys): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [`DRUID_GATEWAY__${key}`, value]));
}

/** Why this build cannot be configured like that; null when it can. */
function refusal(main: string, keys: Keys): string | null {
  const env = { ...process.env, ...variables(keys) };
  const { status, stderr } = spawnSync(process.execPath, [main, 'check-config'], { env, encoding: 'utf8' });
  return status === 0 ? null : stderr.trim().replaceAll('\n', '; ');
}

/** Resolves when it knows who leads and has this many Brokers that are ready. */
async function whole(admin: string, brokers: number): Promise<boolean> {
  try {
    const response = await fetch(`${admin}/status`, { signal: AbortSignal.timeout(5_000) });
    const { leaders, brokers: known } = (await response.json()) as Status;
    const serving = leaders.coordinator.state === 'serving' && leaders.overlord.state === 'serving';
    return serving && known.filter(({ ready }) => ready).length === brokers;
  } catch {
    return false;
  }
}

/**
 * The built gateway, watching the same ZooKeeper; its log goes to a file. A build that refuses `keys` is left out.
 * `main`: the program, where that is another build than this one.
 */
export function createGatewayPeer(name: string, about: string, keys: Keys, main = MAIN): Peer {
  return {
    name,
    about,
    setups: ['relay', 'redirect', 'brokers1000'],
    follows: true,
    warmUpSeconds: 5,
    missing: async () => refusal(main, keys),
    version: async () => (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version,
    async start(setup, place: Place) {
      const [port = 0, adminPort = 0] = await freePorts(2);
      const settings = variables({
        ...keys,
        ZOOKEEPER__CONNECT: place.zookeeper.connect,
        ZOOKEEPER__BASE_PATH: place.zookeeper.basePath,
        LISTEN: `127.0.0.1:${port}`,
        ADMIN__LISTEN: `127.0.0.1:${adminPort}`,
        ...(setup === 'redirect' ? { MODE__COORDINATOR: 'redirect' } : {}),
      });
      const assignments = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
      const started = await startPinned(place, name, 'env', [
        ...assignments,
        // As people start it, by its first line; with the Node.js that runs this.
        `PATH=${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
        main,
        'serve',
      ]);
      await waitFor(name, () => whole(`http://127.0.0.1:${adminPort}`, place.brokers.length), {
        timeoutMs: 120_000,
        process: started,
        signal: place.signal,
      });
      return { url: `http://127.0.0.1:${port}`, process: started };
    },
  };
}
