import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createAdmin } from './admin/admin.ts';
import { logClusterEvents } from './admin/event-log.ts';
import { createLiveness, type NotLive } from './admin/liveness.ts';
import { onLogError } from './admin/logger.ts';
import { watchStalls } from './admin/stalls.ts';
import { formatHostPort } from './config/host-port.ts';
import { redact } from './config/redact.ts';
import type { Config } from './config/schema.ts';
import { createInternalErrors } from './internal-errors.ts';
import { createDiscovery } from './wiring/create-discovery.ts';
import { createDiscoveredCluster } from './wiring/discovered-cluster.ts';
import { serveHere } from './wiring/serve-here.ts';
import { serveByWorkers } from './workers/serve-by-workers.ts';

/** How often what tells whether the gateway lives is looked at, in milliseconds. */
const LOOK_MS = 1_000;

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

/**
 * Throws with one sentence when the files that the configuration names cannot be used. With more than one worker
 * this process keeps discovery, the cluster and the admin listener, and others serve.
 */
export function createGateway(config: Config, { logger, version }: GatewayOptions): Gateway {
  let draining = false;
  const errors = createInternalErrors(logger);
  onLogError(logger, (error) => errors.report('log', error));
  const liveness = createLiveness(config.admin.live);
  const stalls = watchStalls();
  const discovery = createDiscovery(config, errors);
  const cluster = createDiscoveredCluster(config, discovery, errors);
  const stopLogging = logClusterEvents(logger, cluster, discovery);
  const serve = config.workers === 1 ? serveHere : serveByWorkers;
  const servers = serve({ config, cluster, discovery, logger, errors, liveness, version });
  const admin = createAdmin({
    cluster,
    discovery,
    metrics: servers.metrics,
    refresh: () => servers.refresh(),
    workers: () => servers.workers(),
    draining: () => draining,
    errors,
    liveness: { verdict },
    version,
    config: redact(config),
  });

  /** This process's own pulse, and whether anybody serves. */
  function look(): void {
    liveness.heard(errors, { internalErrors: errors.total, stalledMs: stalls.take() });
    liveness.serves(draining || (servers.workers()?.some(({ state }) => state === 'serving') ?? true));
  }

  function verdict(): NotLive | null {
    look();
    return liveness.verdict();
  }

  const looking = setInterval(look, LOOK_MS);
  looking.unref();

  async function stop(): Promise<void> {
    draining = true;
    clearInterval(looking);
    stalls.stop();
    await servers.stop();
    await cluster.close();
    await discovery.close();
    stopLogging();
    await admin.close();
  }

  return {
    async start() {
      try {
        const { host, port } = config.admin.listen;
        await admin.listen({ host, port });
        const bound = await servers.listen();
        discovery.start();
        cluster.start();
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

function url(scheme: string, host: string, { port }: AddressInfo): string {
  return `${scheme}://${formatHostPort({ host, port })}`;
}
