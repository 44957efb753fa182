import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import { HOT_SERVICE } from '../bodies.ts';
import { type BegunPeer, type Peer, type Place, type Setup, startPinned } from './peer.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PACKAGE = new URL('../../package.json', import.meta.url);

type Keys = Readonly<Record<string, string>>;

/** All that chooses a tier is on. */
const TIERS = `
brokers:
  tiers:
    hot: ${HOT_SERVICE}
    _default_tier: druid/broker
  strategies: [timeBoundary, priority, manual]
`;

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
  async function begin(setup: Setup, place: Place): Promise<BegunPeer & { readonly admin: string }> {
    const [port = 0, adminPort = 0] = await freePorts(2);
    const settings = variables({
      ...keys,
      ZOOKEEPER__CONNECT: place.zookeeper.connect,
      ZOOKEEPER__BASE_PATH: place.zookeeper.basePath,
      LISTEN: `127.0.0.1:${port}`,
      ADMIN__LISTEN: `127.0.0.1:${adminPort}`,
      ...(setup === 'redirect' ? { MODE__COORDINATOR: 'redirect' } : {}),
      ...(place.tls === undefined
        ? {}
        : { LISTEN__TLS__CERT_FILE: place.tls.cert, LISTEN__TLS__KEY_FILE: place.tls.key }),
    });
    const file = join(place.folder, 'gateway.yaml');
    if (setup === 'tiers') await writeFile(file, TIERS);
    const since = performance.now();
    const started = await startPinned(place, name, 'env', [
      ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
      // As people start it, by its first line; with the Node.js that runs this.
      `PATH=${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
      main,
      'serve',
      ...(setup === 'tiers' ? ['--config', file] : []),
    ]);
    const scheme = place.tls === undefined ? 'http' : 'https';
    return {
      url: `${scheme}://127.0.0.1:${port}`,
      admin: `http://127.0.0.1:${adminPort}`,
      process: started,
      since,
    };
  }

  return {
    name,
    about,
    setups: ['relay', 'redirect', 'brokers1000', 'tls', 'tiers'],
    gateway: true,
    follows: true,
    warmUpSeconds: 5,
    missing: async () => refusal(main, keys),
    version: async () => (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version,
    begin,
    async start(setup, place) {
      const begun = await begin(setup, place);
      await waitFor(name, () => whole(begun.admin, place.brokers.length), {
        timeoutMs: 120_000,
        process: begun.process,
        signal: place.signal,
      });
      return begun;
    },
  };
}
