import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../tools/druid-cluster/artifacts.ts';
import { DruidProcesses, type Waves } from '../../tools/druid-cluster/druid-processes.ts';
import { type DruidRole, postgresqlMetadata } from '../../tools/druid-cluster/druid-properties.ts';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import {
  type Ensemble,
  PORTS_OF_SERVER,
  startZooKeeperEnsemble,
} from '../../tools/druid-cluster/zookeeper-ensemble.ts';
import { PostgresqlPair } from './postgresql-pair.ts';
import { startZooKeeperLink, type ZooKeeperLink } from './zookeeper-link.ts';

export interface HaClusterOptions {
  /** Holds everything that the cluster writes. */
  readonly folder: string;
  /** With PostgreSQL's extension (`ensureExtendedDruidJars`). */
  readonly druidClassPath: string;
  readonly zookeeperClassPath: string;
  /**
   * Whether the ways to ZooKeeper can be cut. Each master then names other addresses for the same servers, which the
   * doctor warns about.
   */
  readonly cuttable: boolean;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

/** All that Druid's page "High availability" asks for, on one machine. */
export interface HaCluster {
  readonly ensemble: Ensemble;
  readonly postgresql: PostgresqlPair;
  readonly druid: DruidProcesses;
  /** What the gateway takes for ZooKeeper. */
  readonly zookeeper: string;
  /** By the name of a master, and `gateway`. Throws where it cannot be cut. */
  link(name: string): ZooKeeperLink;
  /** Ends every process; SIGKILL, since nothing is to be kept. */
  close(): Promise<void>;
}

export const GATEWAY = 'gateway';
export const ZOOKEEPERS = 3;
export const BROKERS = 3;

/** Masters that make the tables of a fresh PostgreSQL at the same time do not mind each other. */
const ALL_AT_ONCE: Waves = [
  [
    ['coordinator', 'coordinator-1'],
    ['coordinator', 'coordinator-2'],
    ['overlord', 'overlord-1'],
    ['overlord', 'overlord-2'],
    ['broker', 'broker-1'],
    ['broker', 'broker-2'],
    ['broker', 'broker-3'],
    ['historical', 'historical'],
    ['indexer', 'indexer'],
  ],
];

/** Sessions end after 5 s at the latest, as Druid asks for here; by default it is 30 s. */
const TICK_MS = 500;

/** Whose way to ZooKeeper can be cut. */
const LINKED = [GATEWAY, 'coordinator-1', 'coordinator-2', 'overlord-1', 'overlord-2'];

function extraProperties(role: DruidRole): readonly string[] {
  // As many as Druid has by default: requests that wait for the metadata store would take all of ten.
  const threads = 'druid.server.http.numThreads=40';
  return role === 'indexer' ? [threads, 'druid.worker.capacity=4'] : [threads];
}

/** Starts everything at once and waits until each process is healthy; ends them all if one is not. */
export async function startHaCluster(options: HaClusterOptions): Promise<HaCluster> {
  const { folder, druidClassPath, zookeeperClassPath, cuttable, report = () => {}, signal } = options;
  const stoppable = signal === undefined ? {} : { signal };
  await mkdir(folder, { recursive: true });
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closing.splice(0).map((end) => end()));
  };
  try {
    report(`starting ${ZOOKEEPERS} ZooKeepers, and PostgreSQL with a standby`);
    const started = await Promise.allSettled([
      startZooKeeperEnsemble(
        { servers: ZOOKEEPERS, tickMs: TICK_MS },
        {
          folder: join(folder, 'zookeeper'),
          classPath: zookeeperClassPath,
          ports: await freePorts(ZOOKEEPERS * PORTS_OF_SERVER),
          ...stoppable,
        },
      ),
      PostgresqlPair.start({ folder: join(folder, 'postgresql'), ...stoppable }),
    ]);
    for (const one of started) if (one.status === 'fulfilled') closing.push(() => one.value.close());
    const [ensemble, postgresql] = started.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    }) as [Ensemble, PostgresqlPair];
    const links = new Map<string, ZooKeeperLink>();
    const ports = ensemble.servers.map(({ port }) => port);
    for (const name of cuttable ? LINKED : []) {
      const link = await startZooKeeperLink(ports);
      links.set(name, link);
      closing.push(() => link.close());
    }
    const zookeeper = (name: string): string => links.get(name)?.connect ?? ensemble.connect;
    const { user, password } = postgresql.credentials;
    const druid = new DruidProcesses({
      places: {
        folder,
        zookeeper,
        metadata: postgresqlMetadata(postgresql.jdbcUrl, user, password),
      },
      classPath: druidClassPath,
      extraProperties,
      report,
      ...stoppable,
    });
    closing.push(() => druid.close());
    await druid.start(ALL_AT_ONCE);
    return {
      ensemble,
      postgresql,
      druid,
      zookeeper: zookeeper(GATEWAY),
      link(name) {
        const link = links.get(name);
        if (link === undefined) throw new Error(`${name} has no link of its own to ZooKeeper`);
        return link;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
