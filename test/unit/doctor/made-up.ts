import { loadConfig } from '../../../src/config/load.ts';
import type {
  ConsulFacts,
  Facts,
  KubernetesFacts,
  LeadershipFacts,
  MasterAnswer,
  NodeFacts,
  NodeProperties,
  ServerFacts,
  TreeFacts,
  ZooKeeperFacts,
} from '../../../src/doctor/facts.ts';
import type { StoreFacts, StoreServerFacts, StoreState } from '../../../src/doctor/store/store-facts.ts';
import { version } from '../../../src/version.ts';

export const COORDINATORS = ['http://10.0.0.1:8081', 'http://10.0.0.2:8081'] as const;
export const OVERLORDS = ['http://10.0.0.1:8090', 'http://10.0.0.2:8090'] as const;
export const BROKERS = ['http://10.0.0.3:8082', 'http://10.0.0.4:8082'] as const;

export const CONFIG = loadConfig({ flags: { zookeeper: 'zk-1:2181,zk-2:2181,zk-3:2181' } });

export function server(name: string, change: Partial<ServerFacts> = {}): ServerFacts {
  return {
    name,
    connected: true,
    grantedTimeoutMs: 30_000,
    detail: null,
    mode: 'follower',
    serves: true,
    certificate: null,
    ...change,
  };
}

export const TREE: TreeFacts = {
  basePath: '/druid',
  baseExists: true,
  folders: ['COORDINATOR', 'OVERLORD', 'BROKER', 'HISTORICAL'],
  latches: {
    coordinator: COORDINATORS.map((origin, i) => ({ sequence: i, origin })),
    overlord: OVERLORDS.map((origin, i) => ({ sequence: i, origin })),
  },
  refused: [],
  unreadable: [],
  notAllowed: [],
  gzip: 7,
  plain: 0,
  nearMisses: [],
  aheadMs: 0,
  open: false,
};

const NAMES = ['zk-1:2181', 'zk-2:2181', 'zk-3:2181'] as const;

export const ZOOKEEPER: ZooKeeperFacts = {
  connect: NAMES.join(','),
  requestedTimeoutMs: 30_000,
  servers: NAMES.map((name, i) => server(name, { mode: i === 0 ? 'leader' : 'follower' })),
  members: NAMES.map((client, id) => ({ id, voter: true, client })),
  tree: TREE,
};

export function node(role: string, origin: string, change: Partial<NodeFacts> = {}): NodeFacts {
  return {
    roles: [role],
    origin,
    hostAndPort: origin.slice(origin.indexOf('//') + 2),
    service: `druid/${role}`,
    version: '33.0.0',
    addresses: ['10.0.0.1'],
    health: 200,
    latencyMs: 3,
    clockMs: 0,
    certificate: null,
    readiness: role === 'broker' ? 200 : null,
    ...change,
  };
}

export const NODES: readonly NodeFacts[] = [
  ...COORDINATORS.map((origin) => node('coordinator', origin)),
  ...OVERLORDS.map((origin) => node('overlord', origin)),
  ...BROKERS.map((origin) => node('broker', origin)),
  node('historical', 'http://10.0.0.5:8083'),
];

export function leads(origin: string, change: Partial<MasterAnswer> = {}): MasterAnswer {
  return { origin, claim: 'leads', leader: { kind: 'named', origin }, redirectsTo: null, ...change };
}

export function follows(origin: string, leader: string, change: Partial<MasterAnswer> = {}): MasterAnswer {
  return {
    origin,
    claim: 'follows',
    leader: { kind: 'named', origin: leader },
    redirectsTo: leader,
    ...change,
  };
}

export function ledBy([leader, other]: readonly [string, string]): LeadershipFacts {
  return {
    latch: [leader, other].map((origin, sequence) => ({ sequence, origin })),
    answers: [leads(leader), follows(other, leader)],
  };
}

const SETTINGS: Readonly<Record<string, string>> = {
  'druid.zk.service.host': NAMES.join(','),
  'druid.metadata.storage.type': 'mysql',
  'druid.metadata.storage.connector.connectURI': 'jdbc:mysql:replication://db-1:3306,db-2:3306/druid',
};

export function properties(
  origin: string,
  role: string,
  change: Record<string, string> = {},
): NodeProperties {
  return { origin, roles: [role], values: { ...SETTINGS, ...change } };
}

export const PROPERTIES: readonly NodeProperties[] = [
  ...COORDINATORS.map((origin) => properties(origin, 'coordinator')),
  ...OVERLORDS.map((origin) => properties(origin, 'overlord')),
];

const TABLES = ['segments', 'rules', 'config', 'tasks', 'tasklocks'] as const;

/** A MySQL server that is the source of another one. */
export const SOURCE: StoreState = {
  product: 'MySQL',
  version: '8.4.3',
  managed: null,
  identity: null,
  instance: 'a6e4f5e2-0001',
  takesWrites: true,
  charset: 'utf8mb4',
  tables: TABLES.map((name) => ({ schema: '', name: `druid_${name}` })),
  clients: ['10.0.0.1', '10.0.0.2'],
  connections: { used: 12, most: 151 },
  replicas: [{ name: 'db-2:3306', state: 'streaming', synchronous: false, lagMs: null }],
  upstream: null,
  upstreamHidden: false,
  commit: { kind: 'semi-synchronous', on: true, clients: 1 },
  group: null,
  managers: [],
  behind: null,
};

export const REPLICA: StoreState = {
  ...SOURCE,
  instance: 'a6e4f5e2-0002',
  takesWrites: false,
  clients: [],
  replicas: [],
  upstream: { from: 'db-1:3306', running: true, lagMs: 0, detail: '' },
};

export function storeServer(name: string, state: StoreState): StoreServerFacts {
  return { name, state, problem: null };
}

export const STORE: StoreFacts = {
  kind: 'mysql',
  database: 'druid',
  servers: [storeServer('db-1:3306', SOURCE), storeServer('db-2:3306', REPLICA)],
  askedAt: Date.parse('2026-11-26T12:00:00Z'),
};

/** A cluster in which nothing is wrong, seen with a gateway in front of it. */
export const HEALTHY: Facts = {
  config: CONFIG,
  zookeeper: ZOOKEEPER,
  kubernetes: null,
  consul: null,
  dns: null,
  nodes: NODES,
  leadership: { coordinator: ledBy(COORDINATORS), overlord: ledBy(OVERLORDS) },
  properties: PROPERTIES,
  guarded: false,
  store: STORE,
  watched: { durationMs: 60_000, changes: { coordinator: 0, overlord: 0 } },
  gateway: {
    where: 'http://127.0.0.1:9888',
    expected: true,
    detail: null,
    status: {
      version,
      leaders: {
        coordinator: { node: '10.0.0.1:8081', state: 'serving' },
        overlord: { node: '10.0.0.1:8090', state: 'serving' },
      },
      brokers: BROKERS.map((origin) => ({ node: origin.slice('http://'.length), ready: true })),
      discovery: { state: 'connected' },
      config: CONFIG,
    },
  },
};

/** A cluster in Kubernetes in which nothing is wrong. */
export const KUBERNETES: KubernetesFacts = {
  server: 'https://10.0.0.1:443',
  namespace: 'druid',
  clusterIdentifier: 'druid-prod',
  problem: null,
  pods: 7,
  notReady: [],
  faults: [],
};

/** The same in Consul. */
export const CONSUL: ConsulFacts = {
  server: 'http://127.0.0.1:8500',
  servicePrefix: 'druid-prod',
  problem: null,
  nodes: 7,
  faults: [],
};
