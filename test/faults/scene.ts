import type { MasterRole } from '../../src/discovery/discovery.ts';
import { startTraffic, type Traffic, type TrafficOptions } from '../kit/clients/traffic.ts';
import { type RunningGateway, startGatewayWith } from '../kit/gateway/gateway-process.ts';
import type { Settings } from '../kit/upstream/druid-like/faults.ts';
import { type DruidLikeCluster, startDruidLike } from '../kit/upstream/druid-like.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';

export interface SceneOptions {
  readonly servers?: number;
  readonly roles: readonly Settings['role'][];
  /** Keys of the gateway's configuration. */
  readonly keys?: Readonly<Record<string, string>>;
  /** What the gateway takes for ZooKeeper instead of the ensemble itself, such as a proxy in front of it. */
  readonly zookeeper?: (ensemble: Ensemble) => Promise<string>;
}

/** Real ZooKeeper servers, Druid-like processes, and the built gateway in front of them. */
export interface Scene {
  readonly ensemble: Ensemble;
  readonly cluster: DruidLikeCluster;
  gateway: RunningGateway;
  /** Another gateway process with the same configuration. */
  startGateway(): Promise<RunningGateway>;
  read(role: MasterRole): Promise<Response>;
  query(context?: object): Promise<Response>;
  /** Reads of this role, or queries, at a steady pace, with writes besides. */
  traffic(of: MasterRole | 'broker', readsPerSecond: number, writesPerSecond?: number): Traffic;
  /** Fails unless every write was carried out once, or at most once where its answer left that open. */
  writesOf(traffic: Traffic): Promise<{ readonly twice: string[]; readonly lost: string[] }>;
  close(): Promise<void>;
}

const READS: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/datasources',
  overlord: '/druid/indexer/v1/tasks',
};
const WRITES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/config',
  overlord: '/druid/indexer/v1/task',
};

export async function stage(options: SceneOptions): Promise<Scene> {
  const ensemble = await startEnsemble({ servers: options.servers ?? 1 });
  const cluster = await startDruidLike({ zookeeper: ensemble.connect, roles: options.roles });
  const zookeeper = (await options.zookeeper?.(ensemble)) ?? ensemble.connect;
  const startGateway = (): Promise<RunningGateway> =>
    startGatewayWith({ ZOOKEEPER__SESSION_TIMEOUT: '3s', ...options.keys }, '--zookeeper', zookeeper);
  let names = 0;

  const read = (role: MasterRole): Promise<Response> =>
    fetch(scene.gateway.url + READS[role], { redirect: 'manual' });
  const query = (context: object = {}): Promise<Response> =>
    fetch(`${scene.gateway.url}/druid/v2/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'SELECT 1', context }),
    });
  const write = (role: MasterRole): ReturnType<NonNullable<TrafficOptions['write']>> => {
    const name = `write-${role}-${names++}`;
    const sent = fetch(scene.gateway.url + WRITES[role], {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-druid-comment': name },
      body: JSON.stringify({ groupId: name }),
      redirect: 'manual',
    });
    return { name, sent };
  };

  const scene: Scene = {
    ensemble,
    cluster,
    gateway: await startGateway(),
    startGateway,
    read,
    query,
    traffic(of, readsPerSecond, writesPerSecond = 0) {
      return startTraffic({
        read: () => (of === 'broker' ? query() : read(of)),
        readsPerSecond,
        ...(of === 'broker' || writesPerSecond === 0 ? {} : { write: () => write(of), writesPerSecond }),
      });
    },
    async writesOf({ writes }) {
      const ledger = await cluster.ledger();
      const times = (name: string): number => ledger.get(name)?.length ?? 0;
      return {
        twice: writes.filter(({ name }) => times(name) > 1).map(({ name }) => name),
        lost: writes
          .filter(({ name, status }) => status === 200 && times(name) === 0)
          .map(({ name }) => name),
      };
    },
    async close() {
      await scene.gateway.stop();
      await cluster.close();
      await ensemble.close();
    },
  };
  return scene;
}

/** Resolves when this holds, asked every few milliseconds. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within two minutes: ${holds}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
