import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import { pino } from 'pino';
import type { Cluster, ClusterEvents } from '../../../src/cluster/cluster.ts';
import { type NodeOutcome, UpstreamNode } from '../../../src/cluster/node.ts';
import type { ClusterView, LeaderView, WaitReason } from '../../../src/cluster/view.ts';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import type { ConsoleOptions } from '../../../src/doors/console/console.ts';
import { createFrontDoor, type DoorLimits, type FrontDoor } from '../../../src/doors/front/front-door.ts';
import { createJdbcConnections } from '../../../src/exchange/druid/jdbc-connections.ts';
import { createRunningQueries, type RunningQueries } from '../../../src/exchange/druid/running-queries.ts';
import { createExchange } from '../../../src/exchange/exchange.ts';
import { createSuccession } from '../../../src/exchange/forward/succession.ts';
import {
  type BodyLimitOptions,
  type BodyLimits,
  createBodyLimits,
} from '../../../src/exchange/limits/body-limits.ts';
import { type CancelLimits, createCancelLimits } from '../../../src/exchange/limits/cancel-limits.ts';
import {
  type Concurrency,
  type ConcurrencyLimits,
  createConcurrency,
} from '../../../src/exchange/limits/concurrency.ts';
import type { Pressure } from '../../../src/exchange/limits/overload.ts';
import {
  createRetryBudget,
  type RetryBudget,
  type RetryBudgetOptions,
} from '../../../src/exchange/limits/retry-budget.ts';
import { createWaitQueue, type WaitQueue } from '../../../src/exchange/limits/wait-queue.ts';
import type { ClientSide } from '../../../src/exchange/ports/client.ts';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';
import type { ExchangeOptions, ExchangeServices } from '../../../src/exchange/ports/services.ts';
import type { Upstreams } from '../../../src/exchange/ports/upstream.ts';
import { belowBasePath } from '../../../src/routing/base-path.ts';
import { createRouter } from '../../../src/routing/router.ts';
import { chooseTarget } from '../../../src/routing/target.ts';
import { createUpstreams, type UpstreamOptions } from '../../../src/upstream/upstreams.ts';
import { makeCertificates } from '../net/certificates.ts';
import { DOOR, type Door, OVER_TLS } from './door.ts';
import { type RecordedErrors, recordErrors } from './recorded-errors.ts';

/** A cluster that is what a test says it is. */
export class FakeCluster extends EventEmitter<ClusterEvents> implements Cluster {
  view: ClusterView = {
    version: 1,
    complete: true,
    discovery: { state: 'connected', since: 0, detail: null },
    readAt: 0,
    leaders: { coordinator: noLeader('coordinator', 1), overlord: noLeader('overlord', 1) },
    rivals: { coordinator: [], overlord: [] },
    brokers: [],
    pools: new Map(),
    cordoned: new Set(),
    nodes: new Map(),
    roles: new Map(),
  };
  readonly reports: [hostAndPort: string, outcome: NodeOutcome][] = [];
  readonly #nodes = new Map<string, UpstreamNode>();
  onReport: (node: UpstreamNode, outcome: NodeOutcome) => void = () => {};

  start(): void {}
  async close(): Promise<void> {}
  cordon(): void {}

  report(node: UpstreamNode, outcome: NodeOutcome): void {
    this.reports.push([node.hostAndPort, outcome]);
    this.onReport(node, outcome);
  }

  node(origin: string): UpstreamNode {
    const known = this.#nodes.get(origin);
    if (known !== undefined) return known;
    const created = new UpstreamNode(origin);
    this.#nodes.set(origin, created);
    return created;
  }

  /** The next view, with these parts replaced. */
  change(parts: Partial<ClusterView>): void {
    this.view = { ...this.view, ...parts, version: this.view.version + 1 };
    this.view = { ...this.view, nodes: new Map(this.#nodes) };
    this.emit('view', this.view);
  }

  lead(role: MasterRole, origin: string): void {
    const version = this.view.version + 1;
    const node = this.node(origin);
    const leader: LeaderView = {
      role,
      state: 'serving',
      node,
      term: version,
      knownBy: 'both',
      since: version,
      waitReason: null,
    };
    this.change({ leaders: { ...this.view.leaders, [role]: leader } });
  }

  unlead(role: MasterRole, waitReason: WaitReason = 'no_leader'): void {
    const leader = { ...noLeader(role, this.view.version + 1), waitReason };
    this.change({ leaders: { ...this.view.leaders, [role]: leader } });
  }

  brokers(...origins: string[]): void {
    this.services({ 'druid/broker': origins });
  }

  /** Ready Brokers of these services. */
  services(origins: Readonly<Record<string, readonly string[]>>): void {
    const pools = Object.entries(origins).map(
      ([service, of]) => [service, of.map((origin) => this.node(origin))] as const,
    );
    const ready = { ready: true, cordoned: false, ejected: false, why: 'ready' };
    this.change({
      brokers: pools.flatMap(([service, nodes]) => nodes.map((node) => ({ node, service, ...ready }))),
      pools: new Map(pools),
    });
  }
}

function noLeader(role: MasterRole, since: number): LeaderView {
  return { role, state: 'none', node: null, term: null, knownBy: 'nothing', since, waitReason: 'no_leader' };
}

let pem: Promise<Buffer> | null = null;

/** Key and certificate of a listener, made once for all tests of a file. */
async function listenerTls(): Promise<SecureContextOptions> {
  pem ??= makePem();
  const both = await pem;
  return { key: both, cert: both };
}

async function makePem(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'listener-tls-'));
  try {
    return await readFile((await makeCertificates(folder)).server);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export interface HarnessOptions {
  /** That of the suite unless it is said; so is whether clients come encrypted. */
  readonly door?: Door;
  readonly tls?: boolean;
  /** What stands in for the exchange. */
  readonly handle?: (client: ClientSide) => boolean;
  readonly console?: Partial<ConsoleOptions>;
  readonly now?: () => number;
  readonly exchange?: Partial<ExchangeOptions>;
  readonly upstreams?: Partial<UpstreamOptions>;
  readonly limits?: Partial<DoorLimits>;
  readonly redirectPolicy?: ExchangeServices['redirectPolicy'];
  readonly tierSelector?: ExchangeServices['tierSelector'];
  readonly maxParked?: number;
  readonly maxParkedBytes?: number;
  readonly maxQueued?: number;
  readonly abandonedTimeoutMs?: number;
  readonly maxCancels?: number;
  readonly concurrency?: Partial<ConcurrencyLimits>;
  readonly bodies?: Partial<BodyLimitOptions>;
  readonly retries?: RetryBudgetOptions;
  /** Parts of the exchange that a test replaces, by ones that throw for instance. */
  readonly deps?: Partial<ExchangeServices> | ((own: ExchangeServices) => ExchangeServices);
}

export interface Harness {
  readonly cluster: FakeCluster;
  readonly records: ExchangeRecord[];
  /** Errors of the gateway itself. */
  readonly errors: RecordedErrors;
  readonly waitQueue: WaitQueue;
  readonly concurrency: Concurrency;
  readonly bodies: BodyLimits;
  readonly cancelLimits: CancelLimits;
  readonly retryBudget: RetryBudget;
  readonly runningQueries: RunningQueries;
  /** What the exchange takes for the state of the event loop. */
  readonly pressure: { high: boolean };
  readonly door: FrontDoor;
  readonly port: number;
  retain: Upstreams['retain'];
  /** Waits until so many records are there. */
  recorded(count: number): Promise<ExchangeRecord[]>;
  close(): Promise<void>;
}

/** The exchange behind the front door, on real sockets, with a cluster the test makes up. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const cluster = new FakeCluster();
  const records: ExchangeRecord[] = [];
  const errors = recordErrors();
  const now = options.now ?? ((): number => performance.now());
  const waitQueue = createWaitQueue({
    cluster,
    errors,
    maxRequests: options.maxParked ?? 100,
    maxBytes: options.maxParkedBytes ?? 16 * 1024 * 1024,
    maxQueued: options.maxQueued ?? 100,
    now,
  });
  const concurrency = createConcurrency(
    {
      total: 0,
      roles: { coordinator: 0, overlord: 0, broker: 0 },
      perClient: 0,
      largeShare: 0.75,
      ...options.concurrency,
    },
    (role) => waitQueue.capacityFreed(role),
  );
  const bodies = createBodyLimits({
    maxBytes: 0,
    maxWaitMs: 1_000,
    idleTimeoutMs: 0,
    minRate: 0,
    errors,
    now,
    ...options.bodies,
  });
  const cancelLimits = createCancelLimits(options.maxCancels ?? 64);
  const retryBudget = createRetryBudget(options.retries ?? { share: 0.2, minPerSecond: 10 });
  const runningQueries = createRunningQueries();
  const pressure: { -readonly [K in keyof Pressure]: Pressure[K] } = { high: false, stop() {} };
  const exchangeOptions: ExchangeOptions = {
    defaultService: 'druid/broker',
    services: new Set(['druid/broker']),
    abandonedTimeoutMs: options.abandonedTimeoutMs ?? 30_000,
    bufferBodyBytes: 64 * 1024,
    maxWaitMs: 2_000,
    maxWaitByRole: {},
    maxWaitStaleMs: 500,
    maxQueueMs: 1_000,
    timeoutSlackMs: 50,
    totalTimeoutMs: 0,
    timeoutsByClass: {},
    cancelOnDisconnect: { native: true, sql: true },
    resetIncomplete: false,
    maxPerNode: 64,
    maxPerNodeForLarge: 64,
    trusts: () => false,
    forwardedHeader: 'x-forwarded-for',
    basePath: '',
    cors: null,
    showsView: () => true,
    ...options.exchange,
  };
  const upstreamOptions: UpstreamOptions = {
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    keepAliveTimeoutMs: 4_000,
    maxHeaderBytes: 65_536,
    errors,
    ...options.upstreams,
  };
  const upstreams = createUpstreams(upstreamOptions);
  const sink = (record: ExchangeRecord): void => void records.push(record);
  const own: ExchangeServices = {
    cluster,
    route: belowBasePath(createRouter({ allow: [] }), exchangeOptions.basePath),
    // The first one, as long as none is less busy: the same in each run.
    chooseTarget: (route, view, _, exclude, limits) => chooseTarget(route, view, () => 0, exclude, limits),
    tierSelector: options.tierSelector ?? null,
    redirectPolicy: options.redirectPolicy ?? null,
    upstreams,
    waitQueue,
    concurrency,
    bodies,
    cancelLimits,
    retryBudget,
    succession: createSuccession(cluster),
    pressure,
    runningQueries,
    jdbcConnections: createJdbcConnections(100),
    sink,
    errors,
    draining: () => false,
    options: exchangeOptions,
    now,
    random: () => 0.5,
  };
  const { deps } = options;
  const exchange = createExchange(typeof deps === 'function' ? deps(own) : { ...own, ...deps });
  const door = createFrontDoor({
    handle: options.handle ?? ((client) => exchange.handle(client)),
    express: (options.door ?? DOOR) !== 'front',
    sharedReadBuffer: (options.door ?? DOOR) === 'shared',
    ...((options.tls ?? OVER_TLS) ? { tls: await listenerTls() } : {}),
    logger: pino({ level: 'silent' }),
    limits: {
      maxHeaderBytes: 16_384,
      maxHeaders: 2_000,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 0,
      keepAliveTimeoutMs: 72_000,
      sendTimeoutMs: 60_000,
      halfCloseGraceMs: 1_000,
      maxConnections: 0,
      ...options.limits,
    },
    console: {
      ...upstreamOptions,
      relayPage: (client, sender) => exchange.relayPage(client, sender),
      now,
      ...options.console,
    },
    errors,
    now,
  });
  const { port } = await door.listen('127.0.0.1', 0);
  return {
    cluster,
    records,
    errors,
    waitQueue,
    concurrency,
    bodies,
    cancelLimits,
    retryBudget,
    runningQueries,
    pressure,
    door,
    port,
    retain: (known) => upstreams.retain(known),
    async recorded(count) {
      for (let i = 0; records.length < count && i < 500; i++) await sleep(10);
      return records;
    },
    async close() {
      waitQueue.close();
      await door.close(50);
      await upstreams.close();
    },
  };
}
