import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { createAdmin, createHealth } from '../admin/admin.ts';
import { History } from '../admin/history/history.ts';
import { Liveness } from '../admin/liveness.ts';
import { watchLoop } from '../admin/loop-watch.ts';
import type { ReloadResult } from '../admin/reload.ts';
import { describeStatus } from '../admin/status.ts';
import { type DangerousSetting, dangerousSettings } from '../config/dangerous-settings.ts';
import { watchFiles } from '../config/file-watch.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { LogLevel } from '../config/log-levels.ts';
import { redact } from '../config/redact.ts';
import type { Config } from '../config/schema.ts';
import type { ShownSetting } from '../config/shown-settings.ts';
import type { LeaderWaits } from '../exchange/leader-waits.ts';
import { contain, createInternalErrors } from '../faults/internal-errors.ts';
import { PublishedView } from '../feeds/published-view.ts';
import { logClusterEvents } from '../logs/event-log.ts';
import { onLogError } from '../logs/logger.ts';
import { formatHostPort } from '../net/host-port.ts';
import { readCertificateEnds } from './certificates.ts';
import { readNodeTls } from './client-tls.ts';
import { createDiscoveredCluster } from './create-cluster.ts';
import { clusterNameOf } from './create-discovery.ts';
import { createHaproxyFeed } from './create-haproxy-feed.ts';
import { createKubernetesFeed } from './create-kubernetes-feed.ts';
import { createDiagnose } from './diagnose.ts';
import { createReloading, type ReloadTrigger } from './reloading.ts';
import { serveByWorkers } from './serve-by-workers.ts';
import { serveHere } from './serve-here.ts';
import { createConfiguredDiscovery } from './source-in-use.ts';
import { listenTls, tokenOf } from './tls-files.ts';

export interface GatewayOptions {
  readonly logger: Logger;
  readonly version: string;
  /** The settings of the configuration with the origin of each, for the dashboard; none by default. */
  readonly settings?: readonly ShownSetting[];
  /** Where the configuration comes from; by default nothing of it changes but certificates and keys. */
  readonly origin?: ConfigOrigin;
}

/** Where a configuration is read from. */
export interface ConfigOrigin {
  /** Reads it anew. Throws `ConfigError`. */
  readonly load: () => LoadedConfig;
  /** The files that it is read from. */
  readonly files: readonly string[];
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
  /** Takes up what has changed in the configuration, and logs what came of it. Never rejects. */
  reload(trigger: ReloadTrigger): Promise<ReloadResult>;
  /** Reports not ready, refuses new connections, then ends running requests within the deadline. */
  stop(): Promise<void>;
}

/** Interval, in ms, for checking whether anything serves, and how many errors there were. */
const LIVENESS_MS = 1_000;

/**
 * Creates the gateway, not yet listening. Throws an Error of one sentence if a configured file is unusable. With
 * several workers, this process runs discovery, the cluster and the admin listener, and the workers serve.
 */
export function createGateway(config: Config, options: GatewayOptions): Gateway {
  const { logger, version, settings = [] } = options;
  const { origin = { load: () => ({ config, settings }), files: [] } } = options;
  let draining = false;
  const { admin: access } = config;
  const dangers = watchDangers(logger);
  dangers.look(config);
  const errors = createInternalErrors(logger);
  onLogError(logger, (error) => errors.report('log', error));
  const configured = createConfiguredDiscovery(config, errors);
  const { discovery } = configured;
  const nodeTls = readNodeTls(config);
  const cluster = createDiscoveredCluster(config, discovery, errors, nodeTls);
  const stopLogging = logClusterEvents(logger, cluster, discovery);
  const { maxStall, maxInternalErrors } = config.health.live;
  const liveness = new Liveness({ maxStallMs: maxStall, maxInternalErrors });
  const serve = config.workers === 1 ? serveHere : serveByWorkers;
  const history = new History({
    cluster,
    file: config.history.file ?? null,
    clusterName: () => clusterNameOf(reloading.config),
    logger,
    errors,
  });
  const onLeaderWaits = (waits: LeaderWaits): void => history.count(waits);
  const certificates = readCertificateEnds(config);
  const published = new PublishedView({ cluster, discovery, draining: () => draining, errors });
  const haproxy = createHaproxyFeed(config, { published, cluster, logger, errors });
  const slices = createKubernetesFeed(config, { published, discovery, logger, errors });
  const reloading = createReloading({ begun: { config, settings }, load: origin.load, take, logger, errors });
  const servers = serve({
    config,
    cluster,
    discovery,
    logger,
    errors,
    liveness,
    version,
    dangers: () => dangers.present,
    onLeaderWaits,
    history,
    haproxy: haproxy === null ? null : () => haproxy.counts,
    kubernetesFeed: slices === null ? null : () => slices.counts,
    reloads: {
      get successful() {
        return reloading.successful;
      },
      get succeededAt() {
        return reloading.succeededAt;
      },
      certificates: certificates.ends,
    },
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
  let diagnose = createDiagnose(config);
  const described = { ...sources, discovery, version };
  const shownConfig = (): object => redact(reloading.config);
  const started = Date.now();
  const admin = createAdmin({
    ...described,
    refresh: () => servers.refresh(),
    get config() {
      return shownConfig();
    },
    sampleTraffic: () => servers.metrics.sampleTraffic(),
    history,
    published,
    explain: (question) => servers.explain(question),
    logLevel: { get: () => logger.level, set: setLogLevel },
    settings: () => reloading.settings,
    reload: () => reloading.reload('request'),
    examine: () =>
      diagnose({
        errors,
        gateway: {
          where: 'this gateway',
          expected: true,
          read: async () => describeStatus({ ...described, config: shownConfig() }, started, Date.now()),
        },
      }),
    allowedHosts: access.allowedHosts,
    token: access.tokenFile === undefined ? null : tokenOf(access.tokenFile),
    ...(access.tls === undefined ? {} : { tls: listenTls(access.tls) }),
  });
  const health = access.health === undefined ? null : createHealth(sources);

  function setLogLevel(level: LogLevel): void {
    logger.level = level;
    servers.setLogLevel(level);
  }

  async function take(changed: Config): Promise<readonly string[]> {
    const adminTls = access.tls === undefined ? null : listenTls(access.tls);
    const takeUpNodeTls = nodeTls.read();
    const changedDiagnose = createDiagnose(changed);
    const source = await configured.prepare(reloading.config, changed);
    const problems = await servers.reload(changed).catch(async (error: unknown) => {
      await source.abandon();
      throw error;
    });
    takeUpNodeTls();
    source.take();
    if (adminTls !== null) (admin.server as unknown as TlsServer).setSecureContext(adminTls);
    if (changed.log.level !== reloading.config.log.level) setLogLevel(changed.log.level);
    diagnose = changedDiagnose;
    dangers.look(changed);
    certificates.renew(changed);
    return problems;
  }

  let stopWatchingFiles = (): void => {};

  function startWatchingFiles(): void {
    const { interval } = config.reload;
    if (interval === 0) return;
    stopWatchingFiles = watchFiles({
      files: () => [...origin.files, ...filesOf(reloading.config)],
      intervalMs: interval,
      onChange: () => void reloading.reload('file'),
      errors,
    });
  }

  async function stop(): Promise<void> {
    draining = true;
    published.look();
    reloading.close();
    stopWatchingFiles();
    await servers.stop();
    await history.close();
    await haproxy?.close();
    await slices?.close();
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
        haproxy?.start();
        slices?.start();
        startWatchingFiles();
        const scheme = config.listen.tls === undefined ? 'http' : 'https';
        return {
          listen: url(scheme, config.listen.host, bound) + config.listen.basePath,
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
    reload: (trigger) => reloading.reload(trigger),
    stop,
  };
}

/** Logs dangerous settings when they come into use. */
function watchDangers(logger: Logger) {
  let present: readonly DangerousSetting[] = [];
  return {
    get present() {
      return present;
    },
    look(config: Config): void {
      const known = new Set(present.map(({ id }) => id));
      present = dangerousSettings(config);
      for (const { id, sentence } of present) {
        if (!known.has(id)) logger.warn({ setting: id, why: sentence }, 'dangerous setting');
      }
    },
  };
}

/** The files whose content a reload takes up, besides those that the configuration is written in. */
function filesOf({
  listen,
  admin,
  upstream,
  zookeeper,
  kubernetes,
  consul,
  brokers,
}: Config): readonly string[] {
  const ofTls = [listen.tls, admin.tls, upstream.tls, zookeeper.tls, kubernetes, consul].flatMap((tls) => [
    tls?.certFile,
    tls?.keyFile,
    tls?.caFile,
  ]);
  const passphrases = [listen.tls, admin.tls].map((tls) => tls?.keyPassphraseFile);
  const files = [...ofTls, ...passphrases, brokers.loadRules.auth?.passwordFile];
  return files.filter((file) => file !== undefined);
}

function url(scheme: string, host: string, { port }: AddressInfo): string {
  return `${scheme}://${formatHostPort({ host, port })}`;
}
