import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createAdmin, createHealth } from '../admin/admin.ts';
import { History } from '../admin/history/history.ts';
import { Liveness } from '../admin/liveness.ts';
import { watchLoop } from '../admin/loop-watch.ts';
import { describeStatus } from '../admin/status.ts';
import { dangerousSettings } from '../config/dangerous-settings.ts';
import { redact } from '../config/redact.ts';
import type { Config } from '../config/schema.ts';
import type { ShownSetting } from '../config/shown-settings.ts';
import type { LeaderWaits } from '../exchange/leader-waits.ts';
import { contain, createInternalErrors } from '../faults/internal-errors.ts';
import { logClusterEvents } from '../logs/event-log.ts';
import { onLogError } from '../logs/logger.ts';
import { formatHostPort } from '../net/host-port.ts';
import { createDiscoveredCluster } from './create-cluster.ts';
import { clusterNameOf, createDiscovery } from './create-discovery.ts';
import { createDiagnose } from './diagnose.ts';
import { serveByWorkers } from './serve-by-workers.ts';
import { serveHere } from './serve-here.ts';
import { listenTls, tokenOf } from './tls-files.ts';

export interface GatewayOptions {
  readonly logger: Logger;
  readonly version: string;
  /** The settings of the configuration with the origin of each, for the dashboard; none by default. */
  readonly settings?: readonly ShownSetting[];
}

/** URLs as bound: a configured port of 0 shows the port that the system chose. */
export interface GatewayAddresses {
  readonly listen: string;
  readonly admin: string;
  /** Present only if health has its own listener. */
  readonly health?: string;
}

/** The whole gateway. Everything is created here, and no other module knows all of it. */
export interface Gateway {
  /**
   * Starts listening; ZooKeeper need not be reachable. If an address is unavailable, closes everything and rejects.
   */
  start(): Promise<GatewayAddresses>;
  /** Reports not ready, refuses new connections, then ends running requests within the deadline. */
  stop(): Promise<void>;
}

/** Interval, in ms, for checking whether anything serves, and how many errors there were. */
const LIVENESS_MS = 1_000;

/**
 * Creates the gateway, not yet listening. Throws an Error of one sentence if a configured file is unusable. With
 * several workers, this process runs discovery, the cluster and the admin listener, and the workers serve.
 */
export function createGateway(config: Config, { logger, version, settings = [] }: GatewayOptions): Gateway {
  let draining = false;
  const { admin: access } = config;
  const dangers = dangerousSettings(config);
  for (const { id, sentence } of dangers) logger.warn({ setting: id, why: sentence }, 'dangerous setting');
  const errors = createInternalErrors(logger);
  onLogError(logger, (error) => errors.report('log', error));
  const discovery = createDiscovery(config, errors);
  const cluster = createDiscoveredCluster(config, discovery, errors);
  const stopLogging = logClusterEvents(logger, cluster, discovery);
  const { maxStall, maxInternalErrors } = config.health.live;
  const liveness = new Liveness({ maxStallMs: maxStall, maxInternalErrors });
  const serve = config.workers === 1 ? serveHere : serveByWorkers;
  const history = new History({
    cluster,
    file: config.history.file ?? null,
    clusterName: clusterNameOf(config),
    logger,
    errors,
  });
  const onLeaderWaits = (waits: LeaderWaits): void => history.count(waits);
  const servers = serve({
    config,
    cluster,
    discovery,
    logger,
    errors,
    liveness,
    version,
    dangers,
    onLeaderWaits,
  });

  function look(): void {
    liveness.errors(errors, errors.total);
    liveness.serves(servers.workers()?.some(({ state }) => state === 'serving') ?? true);
  }

  const onLookError = (error: unknown): void => errors.report('admin', error);
  const looking = setInterval(() => contain(look, onLookError), LIVENESS_MS).unref();
  const stopWatching = watchLoop((ms) => liveness.stalled(ms), onLookError);
  const sources = {
    cluster,
    metrics: servers.metrics,
    workers: () => servers.workers(),
    notLive() {
      // A process that is shutting down must not be restarted.
      if (draining) return null;
      look();
      return liveness.notLive;
    },
    draining: () => draining,
    errors,
  };
  const diagnose = createDiagnose(config);
  const described = { ...sources, discovery, version, config: redact(config) };
  const started = Date.now();
  const admin = createAdmin({
    ...described,
    refresh: () => servers.refresh(),
    sampleTraffic: () => servers.metrics.sampleTraffic(),
    history,
    explain: (question) => servers.explain(question),
    logLevel: {
      get: () => logger.level,
      set(level) {
        logger.level = level;
        servers.setLogLevel(level);
      },
    },
    settings,
    examine: () =>
      diagnose({
        errors,
        gateway: {
          where: 'this gateway',
          expected: true,
          read: async () => describeStatus(described, started, Date.now()),
        },
      }),
    allowedHosts: access.allowedHosts,
    token: access.tokenFile === undefined ? null : tokenOf(access.tokenFile),
    ...(access.tls === undefined ? {} : { tls: listenTls(access.tls) }),
  });
  const health = access.health === undefined ? null : createHealth(sources);

  async function stop(): Promise<void> {
    draining = true;
    await servers.stop();
    await history.close();
    await cluster.close();
    await discovery.close();
    stopLogging();
    await Promise.all([admin.close(), health?.close()]);
    clearInterval(looking);
    stopWatching();
  }

  return {
    async start() {
      try {
        const { host } = access.listen;
        const healthHost = access.health?.listen.host ?? host;
        await admin.listen({ host, port: access.listen.port });
        await health?.listen({ host: healthHost, port: access.health?.listen.port ?? 0 });
        const bound = await servers.listen();
        history.start();
        discovery.start();
        cluster.start();
        const scheme = config.listen.tls === undefined ? 'http' : 'https';
        return {
          listen: url(scheme, config.listen.host, bound),
          admin: url(
            access.tls === undefined ? 'http' : 'https',
            host,
            admin.server.address() as AddressInfo,
          ),
          ...(health === null
            ? {}
            : { health: url('http', healthHost, health.server.address() as AddressInfo) }),
        };
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
  };
}

function url(scheme: string, host: string, { port }: AddressInfo): string {
  return `${scheme}://${formatHostPort({ host, port })}`;
}
