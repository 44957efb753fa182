import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createAccessLog } from './admin/access-log.ts';
import { createAdmin } from './admin/admin.ts';
import { logClusterEvents, logRulesEvents } from './admin/event-log.ts';
import { createMetrics } from './admin/metrics.ts';
import { createCluster } from './cluster/create-cluster.ts';
import { formatHostPort } from './config/host-port.ts';
import { redact } from './config/redact.ts';
import type { Config } from './config/schema.ts';
import { ROLES, type Role } from './discovery/discovery.ts';
import { createFrontDoor } from './doors/front.ts';
import { createConcurrency } from './exchange/concurrency.ts';
import { createConnections } from './exchange/connections.ts';
import type { ExchangeOptions } from './exchange/deps.ts';
import { createExchange } from './exchange/exchange.ts';
import { createParking } from './exchange/parking.ts';
import { watchPressure } from './exchange/pressure.ts';
import type { ExchangeRecord } from './exchange/record.ts';
import { createRetryBudget } from './exchange/retry-budget.ts';
import { createRunningQueries } from './exchange/running-queries.ts';
import { createUpstreams } from './exchange/upstreams.ts';
import { createAddressSet } from './routing/address-set.ts';
import { createRedirectPolicy } from './routing/redirect-policy.ts';
import { createRouter } from './routing/router.ts';
import { chooseTarget } from './routing/target.ts';
import { createDiscovery } from './wiring/create-discovery.ts';
import { createPlacing } from './wiring/create-placement.ts';
import { listenTls, upstreamTls } from './wiring/tls-files.ts';

export interface GatewayOptions {
  readonly logger: Logger;
  readonly version: string;
}

/** URLs as bound, so that a port of 0 is told. */
export interface GatewayAddresses {
  readonly listen: string;
  readonly admin: string;
}

/** The whole gateway: everything is built here, and nothing anywhere else knows all of it. */
export interface Gateway {
  /** Listens; ZooKeeper need not be there. Rejects, with nothing left open, when an address cannot be had. */
  start(): Promise<GatewayAddresses>;
  /** Not ready from now on, then no new connections, then the end of what is under way, within the deadline. */
  stop(): Promise<void>;
}

/** So long before the deadline of a shutdown, requests that still wait for a leader get their 503. */
const LAST_CALL_MS = 1_000;

/** JDBC connections that are remembered: some ten megabytes. */
const CONNECTIONS = 100_000;

/** Connections for what no limit holds back. */
const CANCEL_CONNECTIONS = 16;

/** Throws with one sentence when the files that the configuration names cannot be used. */
export function createGateway(config: Config, { logger, version }: GatewayOptions): Gateway {
  const now = (): number => performance.now();
  const random = Math.random;
  const { health, limits, queries, retries, upstream, parking: waits } = config;
  const tls = upstream.tls === undefined ? {} : { tls: upstreamTls(upstream.tls) };
  let draining = false;
  let inFlight = 0;

  const discovery = createDiscovery(config);
  const cluster = createCluster({
    discovery,
    leaderProbeIntervalMs: config.leadership.probeInterval,
    leaderProbeTimeoutMs: config.leadership.probeTimeout,
    leaderConfirmIntervalMs: config.leadership.confirmInterval,
    brokerProbeTimeoutMs: health.brokerProbeTimeout,
    brokerHealth: {
      probeIntervalMs: health.brokerProbeInterval,
      outlier: {
        failures: health.outlier.failures,
        ejectionMs: health.outlier.ejection,
        maxEjectionMs: health.outlier.maxEjection,
      },
      maxEjectedShare: health.outlier.maxEjectedShare,
      slowStartMs: health.slowStart,
      emptyGraceMs: health.emptyGrace,
    },
    ...tls,
  });
  const placing = createPlacing(config, { cluster, random, ...tls });
  if (placing.rules !== null) logRulesEvents(logger, placing.rules);
  const accessLog = createAccessLog(logger, config.log.access);
  const stopLogging = logClusterEvents(logger, cluster, discovery);

  function sink(record: ExchangeRecord): void {
    inFlight--;
    metrics.record(record);
    accessLog(record);
  }

  const options: ExchangeOptions = {
    defaultService: config.brokers.defaultService,
    services: placing.services,
    bufferBodyBytes: upstream.bufferBody,
    maxWaitMs: waits.maxWait,
    maxWaitByRole: perRole((role) => waits[role]?.maxWait),
    maxWaitStaleMs: waits.maxWaitStale,
    maxQueueMs: limits.queue.maxWait,
    timeoutSlackMs: queries.timeoutSlack,
    totalTimeoutMs: upstream.totalTimeout,
    timeoutsByClass: upstream.byClass,
    cancelOnDisconnect: {
      native: queries.native?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
      sql: queries.sql?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
    },
    resetIncomplete: queries.resetIncomplete,
    maxPerNode: upstream.maxRequestsPerNode,
    trusts: createAddressSet(config.forwarded.trust),
  };
  const parking = createParking({
    cluster,
    maxRequests: waits.maxRequests,
    maxBytes: waits.maxBytes,
    byRole: perRole((role) => waits[role]),
    maxQueued: limits.queue.maxRequests,
    now,
  });
  const { total, perClient, largeShare, ...roles } = limits.concurrency;
  const concurrency = createConcurrency({ total, roles, perClient, largeShare }, (role) =>
    parking.room(role),
  );
  const retryBudget = createRetryBudget(retries);
  const pressure = watchPressure(limits.maxEventLoopDelay);
  const metrics = createMetrics({
    cluster,
    discovery,
    version,
    inFlight: () => inFlight,
    exchange: { parking, concurrency, retryBudget, pressure },
    rules: placing.rules,
  });
  const upstreams = createUpstreams({
    connections: upstream.maxRequestsPerNode + CANCEL_CONNECTIONS,
    connectTimeoutMs: upstream.connectTimeout,
    responseTimeoutMs: upstream.responseTimeout,
    idleTimeoutMs: upstream.idleTimeout,
    keepAliveTimeoutMs: upstream.keepAlive,
    maxHeaderBytes: upstream.maxHeaderSize,
    ...tls,
  });
  cluster.on('view', ({ nodes }) => upstreams.retain(nodes));
  const exchange = createExchange({
    cluster,
    route: createRouter({ allow: config.routes.allow }),
    chooseTarget,
    placer: placing.placer,
    redirectPolicy: createRedirectPolicy({ mode: config.mode, ...config.redirect }),
    upstreams,
    parking,
    concurrency,
    retryBudget,
    pressure,
    runningQueries: createRunningQueries(),
    connections: createConnections(CONNECTIONS),
    sink,
    options,
    now,
    random,
  });
  const door = createFrontDoor({
    handle(client) {
      inFlight++;
      return exchange.handle(client);
    },
    logger,
    limits: {
      maxHeaderBytes: limits.maxHeaderSize,
      headersTimeoutMs: limits.headersTimeout,
      requestTimeoutMs: limits.requestTimeout,
      keepAliveTimeoutMs: limits.keepAliveTimeout,
      sendTimeoutMs: limits.sendTimeout,
      maxConnections: limits.maxConnections,
    },
    ...(config.listen.tls === undefined ? {} : { tls: listenTls(config.listen.tls) }),
    console: {
      cluster,
      parking,
      now,
      sink,
      options,
      trusts: options.trusts,
      connectTimeoutMs: upstream.connectTimeout,
      responseTimeoutMs: upstream.responseTimeout,
      ...tls,
    },
    now,
  });
  const admin = createAdmin({
    cluster,
    discovery,
    metrics,
    draining: () => draining,
    version,
    config: redact(config),
  });

  async function stop(): Promise<void> {
    draining = true;
    door.drain();
    await sleep(config.shutdown.delay);
    const { drain } = config.shutdown;
    const lastCall = setTimeout(() => parking.close(), Math.max(0, drain - LAST_CALL_MS));
    await door.close(drain);
    clearTimeout(lastCall);
    parking.close();
    pressure.stop();
    await placing.rules?.stop();
    await upstreams.close();
    await cluster.close();
    await discovery.close();
    stopLogging();
    metrics.close();
    await admin.close();
  }

  return {
    async start() {
      try {
        const { host, port } = config.admin.listen;
        await admin.listen({ host, port });
        const bound = await door.listen(config.listen.host, config.listen.port);
        discovery.start();
        cluster.start();
        placing.rules?.start();
        const scheme = config.listen.tls === undefined ? 'http' : 'https';
        return {
          listen: url(scheme, config.listen.host, bound),
          admin: url('http', host, admin.server.address() as AddressInfo),
        };
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
  };
}

/** What is set for each role, of those for which something is. */
function perRole<T>(of: (role: Role) => T | undefined): Partial<Record<Role, T>> {
  const set: Partial<Record<Role, T>> = {};
  for (const role of ROLES) {
    const value = of(role);
    if (value !== undefined) set[role] = value;
  }
  return set;
}

function url(scheme: string, host: string, { port }: AddressInfo): string {
  return `${scheme}://${formatHostPort({ host, port })}`;
}
