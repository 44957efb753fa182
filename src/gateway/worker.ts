import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { watchLoop } from '../admin/loop-watch.ts';
import type { Config } from '../config/schema.ts';
import { MAX_JDBC_CONNECTIONS } from '../exchange/druid/jdbc-connections.ts';
import { LeaderWaitTally } from '../exchange/leader-waits.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import { exchangeMetrics, inFlightMetric } from '../metrics/exchange-metrics.ts';
import { internalErrorMetrics } from '../metrics/internal-error-metrics.ts';
import { processMetrics, recordMetrics } from '../metrics/metrics.ts';
import { spanMetrics } from '../metrics/span-metrics.ts';
import {
  type Asked,
  type FromWorker,
  type ListenFailure,
  PULSE_MS,
  type ToWorker,
} from '../workers/protocol/messages.ts';
import { failureMemoryMs } from '../workers/protocol/recently-failed-nodes.ts';
import { createClusterReplica } from '../workers/worker/cluster-replica.ts';
import { createSharedJdbcConnections } from '../workers/worker/shared-jdbc-connections.ts';
import { createServing } from './create-serving.ts';
import { problemsOf } from './problems-of.ts';

type Begin = Extract<ToWorker, { kind: 'begin' }>;

/** The work of a worker process: doors and exchange, using the primary's views. */
export interface Worker {
  /** Handles a message from the primary other than `begin` and `stop`. */
  receive(message: Exclude<ToWorker, { kind: 'begin' | 'stop' }>): void;
  /** Listens and returns the message for the primary; never rejects. */
  listen(): Promise<Extract<FromWorker, { kind: 'listening' | 'failed' }>>;
  /** Drains as configured, or within the given times. */
  stop(time?: Config['shutdown']): Promise<void>;
  /** Returns the counts so far. */
  last(): Promise<Extract<FromWorker, { kind: 'last' }>>;
}

export interface WorkerOptions {
  readonly begin: Begin;
  readonly logger: Logger;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** If it throws, the error is reported and the message is lost. */
  readonly send: (message: FromWorker) => void;
}

/** Creates a worker, not yet listening. Throws if a configured file is unusable. */
export function createWorker({ begin, logger, errors, send }: WorkerOptions): Worker {
  const { config, worker, view, watched } = begin;
  const registry = new Registry();
  const report = (error: unknown): void => errors.report('worker', error);
  const cluster = createClusterReplica({
    view,
    watched,
    watchMs: failureMemoryMs(config.health.outlier.maxEjection),
    errors,
    send,
  });
  const connections = createSharedJdbcConnections(
    MAX_JDBC_CONNECTIONS,
    (entries) => send({ kind: 'connections', entries }),
    errors,
  );
  const serving = createServing({
    config,
    cluster,
    logger,
    errors,
    connections,
    sink(exchange) {
      record(exchange);
      waits.add(exchange);
    },
  });
  const record = recordMetrics(registry, serving.rules);
  exchangeMetrics(registry, serving.state);
  internalErrorMetrics(registry, errors);
  inFlightMetric(registry, () => serving.inFlight);
  if (serving.spans !== null) spanMetrics(registry, serving.spans);
  processMetrics(registry, String(worker));
  const waits = new LeaderWaitTally();
  let stallMs = 0;
  watchLoop((ms) => {
    stallMs = Math.max(stallMs, ms);
  }, report);

  function tellWaits(): void {
    const ended = waits.take();
    if (ended.length > 0) send({ kind: 'waits', waits: ended });
  }

  function pulse(): void {
    tellWaits();
    send({ kind: 'pulse', internalErrors: errors.total, stallMs });
    stallMs = 0;
  }

  // Runs until the process ends: a draining worker must send pulses too.
  setInterval(() => contain(pulse, report), PULSE_MS).unref();

  async function answer(question: number, { metrics, explain }: Asked): Promise<void> {
    const { loads, traffic } = cluster;
    const { inFlight } = serving;
    const counted = metrics === true ? await registry.getMetricsAsJSON() : null;
    const explanation = explain === undefined ? null : serving.explain(explain);
    send({ kind: 'answer', question, answer: { loads, traffic, inFlight, metrics: counted, explanation } });
  }

  /** Returns why the configuration cannot be taken up; null if it has been. */
  function reload(changed: Config): string | null {
    try {
      serving.reload(changed);
    } catch (error) {
      return problemsOf(error, report).join('; ');
    }
    return null;
  }

  return {
    receive(message) {
      switch (message.kind) {
        case 'view':
          cluster.applyView(message.parts);
          break;
        case 'heard':
          cluster.acknowledged(message.report);
          break;
        case 'watch':
          cluster.watch(message.origins);
          break;
        case 'connections':
          connections.learn(message.entries);
          break;
        case 'reload':
          send({ kind: 'reloaded', question: message.question, problem: reload(message.config) });
          break;
        case 'ask':
          answer(message.question, message.asked).catch(report);
          break;
        case 'log-level':
          logger.level = message.level;
          break;
      }
    },
    async listen() {
      try {
        return { kind: 'listening', address: await serving.listen() };
      } catch (error) {
        return { kind: 'failed', failure: failureOf(error) };
      }
    },
    async stop(time) {
      await serving.stop(time);
      tellWaits();
    },
    last: async () => ({
      kind: 'last',
      metrics: await registry.getMetricsAsJSON(),
      traffic: cluster.traffic,
    }),
  };
}

function failureOf(error: unknown): ListenFailure {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, code, address, port } = error as Error & Partial<ListenFailure>;
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
  };
}
