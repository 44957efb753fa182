import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import type { Config } from '../config/schema.ts';
import { contain } from '../faults/internal-errors.ts';
import { createMetrics, trafficOf } from '../metrics/metrics.ts';
import { workerMetrics } from '../metrics/worker-metrics.ts';
import { forTimer } from '../time/timer.ts';
import { expectTracing } from '../tracing/tracing.ts';
import { createAnswerGatherer } from '../workers/primary/answer-gatherer.ts';
import { carriedCounters, mergeMetrics, renderMetrics } from '../workers/primary/merge-metrics.ts';
import { createViewPublisher } from '../workers/primary/view-publisher.ts';
import { workerConfig } from '../workers/primary/worker-config.ts';
import { createWorkerPool, type PoolWorker } from '../workers/primary/worker-pool.ts';
import type { Asked, FromWorker, MetricsJson, WorkerAnswer } from '../workers/protocol/messages.ts';
import { failureMemoryMs } from '../workers/protocol/recently-failed-nodes.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';
import { rulesSettings } from './create-tier-routing.ts';
import type { ServeOptions } from './serve-here.ts';
import type { Servers } from './servers.ts';
import { listenTls } from './tls-files.ts';

/** Timeout of a worker's answer, in ms. After it a scrape uses the worker's last counts, if there are any. */
const PATIENCE_MS = 1_000;
/** Timeout of a worker's answer to a changed configuration, in ms. */
const RELOAD_PATIENCE_MS = 5_000;
/**
 * Time beyond the configured delay and drain before workers are killed, in ms; a worker gives up a little earlier.
 */
const END_SLACK_MS = 6_000;

/**
 * Serves through worker processes. This process sends them the cluster's view and adds up their metrics. Throws an
 * Error of one sentence if a configured file is unusable, or if packages for tracing are missing.
 */
export function serveByWorkers({
  config,
  cluster,
  discovery,
  logger,
  errors,
  liveness,
  version,
  dangers,
  reloads,
  history,
  haproxy,
  kubernetesFeed,
  onLeaderWaits,
}: ServeOptions): Servers {
  // Each worker reads these files. Report problems with them before any worker starts.
  if (config.listen.tls !== undefined) listenTls(config.listen.tls);
  if (config.tracing.enabled) expectTracing(config.tracing);
  const registry = new Registry();
  const metrics = createMetrics({
    cluster,
    discovery,
    errors,
    version,
    dangers,
    reloads,
    history,
    haproxy,
    kubernetesFeed,
    registry,
    worker: 'primary',
  });
  const gatherer = createAnswerGatherer<WorkerAnswer>(PATIENCE_MS);
  /** Each answer is the worker's problem with the configuration; null if it has taken it. */
  const reloadGatherer = createAnswerGatherer<string | null>(RELOAD_PATIENCE_MS);
  /** Workers that have a configuration. */
  const begun = new WeakSet<PoolWorker>();
  /** What workers that start from now on begin with. */
  let current = config;
  /** The last metrics of each worker. */
  const counts = new Map<PoolWorker, MetricsJson>();
  const inFlight = new Map<PoolWorker, number>();
  /** Workers that answered the last question. */
  const answering = new Set<PoolWorker>();
  /** Workers that sent their final metrics; an answer handled later is older. */
  const finished = new WeakSet<PoolWorker>();
  let retired: MetricsJson = [];
  let port = config.listen.port;
  let logLevel = config.log.level;

  const guarded = (step: () => void): void => contain(step, (error) => errors.report('worker', error));

  const pool = createWorkerPool({
    entry: fileURLToPath(new URL(`./worker-entry${extname(import.meta.filename)}`, import.meta.url)),
    size: config.workers,
    logger,
    errors,
    onReady(worker) {
      worker.send({
        kind: 'begin',
        worker: worker.number,
        config: workerConfig({ ...current, log: { ...current.log, level: logLevel } }, port),
        ...publisher.beginning,
      });
      begun.add(worker);
      publisher.sendJdbcConnections(worker);
    },
    onMessage: take,
    onEnd(worker) {
      const counted = counts.get(worker) ?? [];
      counts.delete(worker);
      inFlight.delete(worker);
      answering.delete(worker);
      guarded(() => gatherer.gone(worker));
      guarded(() => reloadGatherer.gone(worker));
      guarded(() => publisher.loads(worker, []));
      guarded(() => publisher.ended(worker));
      guarded(() => {
        retired = mergeMetrics([retired, carriedCounters(counted)]);
      });
    },
  });
  const publisher = createViewPublisher({
    cluster,
    workers: () => pool.living,
    watchMs: failureMemoryMs(config.health.outlier.maxEjection),
    errors,
  });
  workerMetrics(registry, () => ({
    answering: pool.newest.filter((worker) => answering.has(worker)).length,
    restarts: pool.newest.reduce((sum, { restarts }) => sum + restarts, 0),
    exits: pool.exits,
  }));

  function take(worker: PoolWorker, message: FromWorker): void {
    if (message.kind === 'reports') publisher.reports(worker, message);
    else if (message.kind === 'connections') publisher.connections(message.entries);
    else if (message.kind === 'answer') gatherer.answered(worker, message.question, message.answer);
    else if (message.kind === 'waits') message.waits.forEach(onLeaderWaits);
    else if (message.kind === 'reloaded') reloadGatherer.answered(worker, message.question, message.problem);
    else if (message.kind === 'last') {
      keep(worker, message.metrics);
      publisher.traffic(worker, message.traffic);
      finished.add(worker);
    } else if (message.kind === 'pulse') {
      liveness.errors(worker, message.internalErrors);
      liveness.stalled(message.stallMs);
    }
  }

  /** Throws here if the metrics cannot be merged; otherwise each scrape would fail. */
  function keep(worker: PoolWorker, metrics: MetricsJson): void {
    mergeMetrics([metrics]);
    counts.set(worker, metrics);
  }

  function takeAnswer(worker: PoolWorker, answer: WorkerAnswer): void {
    if (answer.metrics !== null && !finished.has(worker)) keep(worker, answer.metrics);
    publisher.loads(worker, answer.loads);
    if (!finished.has(worker)) publisher.traffic(worker, answer.traffic);
    inFlight.set(worker, answer.inFlight);
    answering.add(worker);
  }

  /** Returns false if a worker did not answer. */
  async function ask(metrics: boolean): Promise<boolean> {
    publisher.push();
    const asked = pool.living.filter(({ state }) => state === 'serving' || state === 'draining');
    const what: Asked = metrics ? { metrics } : {};
    const answers = await gatherer.ask(asked, (question) => ({ kind: 'ask', question, asked: what }));
    answering.clear();
    for (const [worker, answer] of answers) {
      if (worker.state !== 'gone') guarded(() => takeAnswer(worker, answer));
    }
    return asked.every((worker) => answers.has(worker) || worker.state === 'gone');
  }

  /** Also those that were told before: each message is the whole configuration. */
  async function reload(changed: Config): Promise<readonly string[]> {
    // Report problems with files before any worker is told.
    if (config.listen.tls !== undefined) listenTls(config.listen.tls);
    rulesSettings(changed.brokers);
    current = changed;
    const told = pool.living.filter((worker) => begun.has(worker) && worker.state !== 'draining');
    const workersConfig = workerConfig(changed, port);
    const answers = await reloadGatherer.ask(told, (question) => ({
      kind: 'reload',
      question,
      config: workersConfig,
    }));
    return told.flatMap((worker) => {
      if (worker.state === 'gone') return [];
      const problem = answers.has(worker) ? answers.get(worker) : 'has not answered';
      return problem === null ? [] : [`worker ${worker.number}: ${problem}`];
    });
  }

  return {
    reload,
    async listen() {
      port = await freePort(config.listen);
      return pool.start();
    },
    async stop() {
      const { delay, drain } = config.shutdown;
      await pool.stop(forTimer(delay + drain + END_SLACK_MS));
      publisher.close();
      metrics.close();
    },
    metrics: {
      contentType: metrics.contentType,
      async render() {
        await ask(true);
        return renderMetrics([await registry.getMetricsAsJSON(), ...counts.values(), retired]);
      },
      async sampleTraffic() {
        await ask(true);
        return mergeMetrics([...counts.values(), retired].map(trafficOf));
      },
    },
    refresh: () => ask(false),
    async explain(question) {
      publisher.push();
      const worker = pool.newest.find(({ state }) => state === 'serving');
      if (worker === undefined) return null;
      const answers = await gatherer.ask([worker], (number) => ({
        kind: 'ask',
        question: number,
        asked: { explain: question },
      }));
      const explanation = answers.get(worker)?.explanation ?? null;
      return explanation === null ? null : { ...explanation, worker: worker.number };
    },
    setLogLevel(level) {
      logLevel = level;
      for (const worker of pool.living) guarded(() => worker.send({ kind: 'log-level', level }));
    },
    workers: () =>
      pool.newest.map(
        (worker): WorkerStatus => ({
          worker: worker.number,
          pid: worker.pid,
          state: worker.state,
          uptime: worker.pid === null ? 0 : (performance.now() - worker.since) / 1000,
          inFlight: inFlight.get(worker) ?? 0,
          restarts: worker.restarts,
          ...(worker.lastExit === null ? {} : { lastExit: worker.lastExit }),
        }),
      ),
  };
}

/**
 * Returns the port to listen on; for 0 the system chooses one. Rejects if the address is unavailable: one error
 * here instead of one from each worker. A replacement worker gets the same port.
 */
async function freePort({ host, port }: Config['listen']): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, host);
  await once(server, 'listening');
  const { port: bound } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return bound;
}
