import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createAdmin, createHealth } from '../admin/admin.ts';
import { Liveness } from '../admin/liveness.ts';
import { watchLoop } from '../admin/loop-watch.ts';
import { dangerousSettings } from '../config/dangerous-settings.ts';
import { redact } from '../config/redact.ts';
import type { Config } from '../config/schema.ts';
import { contain, createInternalErrors } from '../faults/internal-errors.ts';
import { logClusterEvents } from '../logs/event-log.ts';
import { onLogError } from '../logs/logger.ts';
import { formatHostPort } from '../net/host-port.ts';
import { createDiscoveredCluster } from './create-cluster.ts';
import { createDiscovery } from './create-discovery.ts';
import { serveByWorkers } from './serve-by-workers.ts';
import { serveHere } from './serve-here.ts';
import { listenTls, tokenOf } from './tls-files.ts';

export interface GatewayOptions {
  readonly logger: Logger;
  readonly version: string;
}

/** URLs as bound, so that a port of 0 is told. */
export interface GatewayAddresses {
  readonly listen: string;
  readonly admin: string;
  /** Only where health has a listener of its own. */
  readonly health?: string;
}

/** The whole gateway: everything is built here, and nothing anywhere else knows all of it. */
export interface Gateway {
  /** Listens; ZooKeeper need not be there. Rejects, with nothing left open, when an address cannot be had. */
  start(): Promise<GatewayAddresses>;
  /** Not ready from now on, then no new connections, then the end of what is under way, within the deadline. */
  stop(): Promise<void>;
}

/** How often it is looked whether somebody serves, and how many errors there have been. */
const LIVENESS_MS = 1_000;

/**
 * Throws with one sentence when the files that the configuration names cannot be used. With more than one worker
 * this process keeps discovery, the cluster and the admin listener, and others serve.
 */
export function createGateway(config: Config, { logger, version }: GatewayOptions): Gateway {
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
  const servers = serve({ config, cluster, discovery, logger, errors, liveness, version, dangers });

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
      // One that ends is not to be ended.
      if (draining) return null;
      look();
      return liveness.notLive;
    },
    draining: () => draining,
    errors,
  };
  const admin = createAdmin({
    ...sources,
    discovery,
    refresh: () => servers.refresh(),
    version,
    config: redact(config),
    allowedHosts: access.allowedHosts,
    token: access.tokenFile === undefined ? null : tokenOf(access.tokenFile),
    ...(access.tls === undefined ? {} : { tls: listenTls(access.tls) }),
  });
  const health = access.health === undefined ? null : createHealth(sources);

  async function stop(): Promise<void> {
    draining = true;
    await servers.stop();
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
