import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import { ROLES, type Role } from '../discovery/discovery.ts';
import { createFrontDoor } from '../doors/front/front-door.ts';
import { createCorsPolicy } from '../exchange/cors.ts';
import {
  createJdbcConnections,
  type JdbcConnections,
  MAX_JDBC_CONNECTIONS,
} from '../exchange/druid/jdbc-connections.ts';
import { createRunningQueries } from '../exchange/druid/running-queries.ts';
import { createExchange } from '../exchange/exchange.ts';
import { createSuccession } from '../exchange/forward/succession.ts';
import { createBodyLimits } from '../exchange/limits/body-limits.ts';
import { createCancelLimits } from '../exchange/limits/cancel-limits.ts';
import { createConcurrency } from '../exchange/limits/concurrency.ts';
import { watchPressure } from '../exchange/limits/overload.ts';
import { createRetryBudget } from '../exchange/limits/retry-budget.ts';
import { createWaitQueue } from '../exchange/limits/wait-queue.ts';
import type { ExchangeRecord, RecordSink } from '../exchange/ports/record.ts';
import type { ExchangeOptions } from '../exchange/ports/services.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { ExchangeState } from '../metrics/exchange-metrics.ts';
import { createAddressSet } from '../net/address-set.ts';
import { createRedirectPolicy } from '../routing/redirect/redirect-policy.ts';
import { rememberRoutes } from '../routing/remembered-routes.ts';
import { createRouter } from '../routing/router.ts';
import { chooseTarget } from '../routing/target.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { createTierRouting, type TierRouting } from './create-tier-routing.ts';
import { nodeTls } from './node-tls.ts';
import { listenTls } from './tls-files.ts';

export interface ServingOptions {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly sink: RecordSink;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Where JDBC connections are remembered; by default a new table. */
  readonly connections?: JdbcConnections;
}

/** Doors and exchange of one process. */
export interface Serving {
  readonly state: ExchangeState;
  /** Requests being answered right now, waiting ones included. */
  readonly inFlight: number;
  /** Reads the Coordinator's load rules; null if they are not used. */
  readonly rules: TierRouting['rules'];
  /** Listens as configured. Rejects with the system's error. */
  listen(): Promise<AddressInfo>;
  /**
   * Drains and closes the doors: asks clients to go elsewhere, waits for `delay` ms, then ends running requests
   * within `drain` ms. `time` replaces the configured values.
   */
  stop(time?: Config['shutdown']): Promise<void>;
}

/** Time before the end of a drain, in ms, when requests still waiting for a leader get their 503. */
const LAST_CALL_MS = 1_000;

/**
 * Creates doors and exchange, not yet listening. Throws an Error of one sentence if a configured file is unusable.
 */
export function createServing(options: ServingOptions): Serving {
  const {
    config,
    cluster,
    logger,
    errors,
    connections = createJdbcConnections(MAX_JDBC_CONNECTIONS),
  } = options;
  const { limits, retries, upstream, parking: waits } = config;
  const now = (): number => performance.now();
  const tls = nodeTls(config);
  const tierRouting = createTierRouting(config, { cluster, errors, random: Math.random, ...tls });
  let inFlight = 0;

  function sink(record: ExchangeRecord): void {
    inFlight--;
    contain(
      () => options.sink(record),
      (error) => errors.report('log', error, record.id),
    );
  }

  const waitQueue = createWaitQueue({
    cluster,
    maxRequests: waits.maxRequests,
    maxBytes: waits.maxBytes,
    byRole: perRole((role) => waits[role]),
    maxQueued: limits.queue.maxRequests,
    errors,
    now,
  });
  const { total, perClient, largeShare, ...roles } = limits.concurrency;
  const concurrency = createConcurrency({ total, roles, perClient, largeShare }, (role) =>
    waitQueue.capacityFreed(role),
  );
  const bodies = createBodyLimits({
    maxBytes: limits.bodyMemory,
    maxWaitMs: limits.queue.maxWait,
    idleTimeoutMs: limits.bodyIdleTimeout,
    minRate: limits.minBodyRate,
    errors,
    now,
  });
  const retryBudget = createRetryBudget(retries);
  const pressure = watchPressure(limits.maxEventLoopDelay, errors);
  const upstreams = createUpstreams({
    connectTimeoutMs: upstream.connectTimeout,
    responseTimeoutMs: upstream.responseTimeout,
    idleTimeoutMs: upstream.idleTimeout,
    keepAliveTimeoutMs: upstream.keepAlive,
    maxHeaderBytes: upstream.maxHeaderSize,
    errors,
    ...tls,
  });
  cluster.on('view', ({ nodes }) => upstreams.retain(nodes));
  const exchangeOptions = exchangeOptionsOf(config, tierRouting);
  const exchange = createExchange({
    cluster,
    route: rememberRoutes(createRouter({ allow: config.routes.allow })),
    chooseTarget,
    tierSelector: tierRouting.tierSelector,
    redirectPolicy: createRedirectPolicy({ mode: config.mode, ...config.redirect }),
    upstreams,
    waitQueue,
    concurrency,
    bodies,
    cancelLimits: createCancelLimits(config.queries.maxCancels),
    retryBudget,
    succession: createSuccession({ cluster, abandonedTimeoutMs: upstream.abandonedTimeout }),
    pressure,
    runningQueries: createRunningQueries(),
    jdbcConnections: connections,
    sink,
    errors,
    options: exchangeOptions,
    now,
    random: Math.random,
  });
  const door = createFrontDoor({
    handle(client) {
      inFlight++;
      const taken = exchange.handle(client);
      if (!taken) inFlight--;
      return taken;
    },
    express: config.doors.express,
    sharedReadBuffer: config.doors.sharedReadBuffer,
    logger,
    limits: {
      maxHeaderBytes: limits.maxHeaderSize,
      maxHeaders: limits.maxHeaders,
      headersTimeoutMs: limits.headersTimeout,
      requestTimeoutMs: limits.requestTimeout,
      keepAliveTimeoutMs: limits.keepAliveTimeout,
      sendTimeoutMs: limits.sendTimeout,
      halfCloseGraceMs: limits.halfCloseGrace,
      maxConnections: limits.maxConnections,
    },
    ...(config.listen.tls === undefined ? {} : { tls: listenTls(config.listen.tls) }),
    console: {
      relayPage(client, sender) {
        inFlight++;
        exchange.relayPage(client, sender);
      },
      now,
      errors,
      connectTimeoutMs: upstream.connectTimeout,
      responseTimeoutMs: upstream.responseTimeout,
      idleTimeoutMs: upstream.idleTimeout,
      keepAliveTimeoutMs: upstream.keepAlive,
      ...tls,
    },
    errors,
    now,
  });

  return {
    state: { waitQueue, concurrency, bodies, retryBudget, pressure },
    get inFlight() {
      return inFlight;
    },
    rules: tierRouting.rules,
    async listen() {
      const bound = await door.listen(config.listen.host, config.listen.port);
      tierRouting.rules?.start();
      return bound;
    },
    async stop({ delay, drain } = config.shutdown) {
      door.drain();
      await sleep(delay);
      const lastCall = setTimeout(
        () =>
          contain(
            () => waitQueue.close(),
            (error) => errors.report('request', error),
          ),
        Math.max(0, drain - LAST_CALL_MS),
      );
      await door.close(drain);
      clearTimeout(lastCall);
      waitQueue.close();
      pressure.stop();
      await tierRouting.rules?.stop();
      await upstreams.close();
    },
  };
}

function exchangeOptionsOf(
  { admin, brokers, cors, forwarded, limits, parking, queries, upstream }: Config,
  { services }: TierRouting,
): ExchangeOptions {
  return {
    defaultService: brokers.defaultService,
    services,
    bufferBodyBytes: upstream.bufferBody,
    maxWaitMs: parking.maxWait,
    maxWaitByRole: perRole((role) => parking[role]?.maxWait),
    maxWaitStaleMs: parking.maxWaitStale,
    maxQueueMs: limits.queue.maxWait,
    timeoutSlackMs: queries.timeoutSlack,
    totalTimeoutMs: upstream.totalTimeout,
    timeoutsByClass: upstream.byClass,
    cancelOnDisconnect: {
      native: queries.native?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
      sql: queries.sql?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
    },
    resetIncomplete: queries.resetIncomplete,
    showNode: upstream.showNode,
    maxPerNode: upstream.maxRequestsPerNode,
    maxPerNodeForLarge: Math.max(1, Math.floor(upstream.maxRequestsPerNode * limits.concurrency.largeShare)),
    cors: createCorsPolicy({ ...cors, maxAgeMs: cors.maxAge }),
    trusts: trustedHops(forwarded),
    forwardedHeader: forwarded.header,
    showsView: createAddressSet(admin.viewClients),
  };
}

/** Decides which hops are our proxies: the nearest `hops`, or those in the trusted networks. */
function trustedHops({ hops, trust }: Config['forwarded']): ExchangeOptions['trusts'] {
  return hops > 0 ? (_, hop) => hop < hops : createAddressSet(trust);
}

/** Collects the values of the roles that have one. */
function perRole<T>(of: (role: Role) => T | undefined): Partial<Record<Role, T>> {
  const set: Partial<Record<Role, T>> = {};
  for (const role of ROLES) {
    const value = of(role);
    if (value !== undefined) set[role] = value;
  }
  return set;
}
