import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import { createFrontDoor } from '../doors/front/front-door.ts';
import {
  createJdbcConnections,
  type JdbcConnections,
  MAX_JDBC_CONNECTIONS,
} from '../exchange/druid/jdbc-connections.ts';
import { createRunningQueries } from '../exchange/druid/running-queries.ts';
import type { Explain } from '../exchange/explain/explain.ts';
import { createSuccession } from '../exchange/forward/succession.ts';
import { watchPressure } from '../exchange/limits/overload.ts';
import type { ExchangeRecord, RecordSink } from '../exchange/ports/record.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import { logRulesEvents } from '../logs/event-log.ts';
import type { ExchangeState } from '../metrics/exchange-metrics.ts';
import type { RulesSource } from '../routing/tiers/load-rules-source.ts';
import type { SpanCounts } from '../tracing/export-queue.ts';
import { createTracing } from '../tracing/tracing.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { readNodeTls } from './client-tls.ts';
import { createGeneration, type GenerationServices } from './create-generation.ts';
import { createSharedLimits } from './shared-limits.ts';
import { listenTls } from './tls-files.ts';

export interface ServingOptions {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly logger: Logger;
  /** Gets the record of each request, besides the access log. */
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
  /** Explains what would become of a request now. */
  readonly explain: Explain;
  /** What became of spans; null if there are none. */
  readonly spans: (() => SpanCounts) | null;
  /** The Coordinator's load rules; their age is null if they are not used. */
  readonly rules: Pick<RulesSource, 'ageMs'>;
  /** Listens as configured. Rejects with the system's error. */
  listen(): Promise<AddressInfo>;
  /**
   * Takes up what can be changed without a restart (`config/reloadable.ts`), and certificates and keys of
   * the listener and towards nodes as their files are now. Requests under way end by the former configuration, except that limits shared by requests
   * hold for all. Throws an Error of one sentence if a file is unusable; then nothing has changed.
   */
  reload(config: Config): void;
  /**
   * Drains and closes the doors: asks clients to go elsewhere, waits for `delay` ms, then ends running requests
   * within `drain` ms. `time` replaces the configured values.
   */
  stop(time?: Config['shutdown']): Promise<void>;
}

/** Time before the end of a drain, in ms, when requests still waiting for a leader get their 503. */
const LAST_CALL_MS = 1_000;
/** Longest time for the export of the last spans, in ms. */
const LAST_SPANS_MS = 2_000;

/**
 * Creates doors and exchange, not yet listening. Throws an Error of one sentence if a configured file is unusable, or if
 * packages for tracing are missing.
 */
export function createServing(options: ServingOptions): Serving {
  const {
    config,
    cluster,
    logger,
    errors,
    connections = createJdbcConnections(MAX_JDBC_CONNECTIONS),
  } = options;
  const { upstream } = config;
  const now = (): number => performance.now();
  const nodeTls = readNodeTls(config);
  const tls = nodeTls.options;
  const tracing = config.tracing.enabled ? createTracing({ config: config.tracing, logger, errors }) : null;
  let inFlight = 0;
  let listening = false;
  let draining = false;

  function sink(record: ExchangeRecord): void {
    inFlight--;
    // As `contain` does, without closures for each request.
    try {
      options.sink(record);
    } catch (error) {
      errors.report('log', error, record.id);
    }
  }

  /** Has the load rules of the present generation read, and those of the former one no longer. */
  function follow(former: RulesSource | null): void {
    const { rules } = generation;
    if (rules === former) return;
    former?.stop().catch((error: unknown) => errors.report('discovery', error));
    if (rules === null) return;
    logRulesEvents(logger, rules);
    if (listening) rules.start();
  }

  const { set: setLimits, ...limits } = createSharedLimits(config, { cluster, errors, now });
  const pressure = watchPressure(config.limits.maxEventLoopDelay, errors);
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
  const services: GenerationServices = {
    ...limits,
    ...tls,
    cluster,
    upstreams,
    succession: createSuccession(cluster),
    pressure,
    runningQueries: createRunningQueries(),
    jdbcConnections: connections,
    encrypted: config.listen.tls !== undefined,
    logger,
    tracing,
    sink,
    errors,
    draining: () => draining,
    now,
    random: Math.random,
  };
  let generation = createGeneration(config, services, null);
  follow(null);
  const door = createFrontDoor({
    handle(client) {
      inFlight++;
      const taken = generation.exchange.handle(client);
      if (!taken) inFlight--;
      return taken;
    },
    express: config.doors.express,
    sharedReadBuffer: config.doors.sharedReadBuffer,
    logger,
    limits: {
      maxHeaderBytes: config.limits.maxHeaderSize,
      maxHeaders: config.limits.maxHeaders,
      headersTimeoutMs: config.limits.headersTimeout,
      requestTimeoutMs: config.limits.requestTimeout,
      keepAliveTimeoutMs: config.limits.keepAliveTimeout,
      sendTimeoutMs: config.limits.sendTimeout,
      halfCloseGraceMs: config.limits.halfCloseGrace,
      maxConnections: config.limits.maxConnections,
    },
    ...(config.listen.tls === undefined ? {} : { tls: listenTls(config.listen.tls) }),
    console: {
      relayPage(client, sender) {
        inFlight++;
        generation.exchange.relayPage(client, sender);
      },
      now,
      errors,
      connectTimeoutMs: upstream.connectTimeout,
      responseTimeoutMs: upstream.responseTimeout,
      idleTimeoutMs: upstream.idleTimeout,
      keepAliveTimeoutMs: upstream.keepAlive,
      addressOf: (origin) => cluster.view.nodes.get(origin)?.address ?? null,
      ...tls,
    },
    errors,
    now,
  });

  return {
    state: { ...limits, pressure },
    get inFlight() {
      return inFlight;
    },
    explain: (question) => generation.explain(question),
    spans: tracing === null ? null : () => tracing.counts,
    rules: {
      get ageMs() {
        return generation.rules?.ageMs ?? null;
      },
    },
    async listen() {
      const bound = await door.listen(config.listen.host, config.listen.port);
      listening = true;
      generation.rules?.start();
      return bound;
    },
    reload(changed) {
      const certificate = config.listen.tls === undefined ? null : listenTls(config.listen.tls);
      const takeUpNodeTls = nodeTls.read();
      const former = generation;
      generation = createGeneration(changed, services, former);
      takeUpNodeTls();
      setLimits(changed);
      if (certificate !== null) door.setCertificate(certificate);
      follow(former.rules);
    },
    async stop({ delay, drain } = config.shutdown) {
      draining = true;
      door.drain();
      await sleep(delay);
      const lastCall = setTimeout(
        () =>
          contain(
            () => limits.waitQueue.close(),
            (error) => errors.report('request', error),
          ),
        Math.max(0, drain - LAST_CALL_MS),
      );
      await door.close(drain);
      clearTimeout(lastCall);
      limits.waitQueue.close();
      pressure.stop();
      await generation.rules?.stop();
      await upstreams.close();
      await tracing?.close(LAST_SPANS_MS);
    },
  };
}
