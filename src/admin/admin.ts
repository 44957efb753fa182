import type { Socket } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import type { Cluster } from '../cluster/cluster.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { knowResponse } from '../doors/last-word.ts';
import { answerClientError } from '../doors/raw-errors.ts';
import { createRequestIds } from '../doors/request-id.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';
import { registerBrokerActions } from './broker-actions.ts';
import type { NotLive } from './liveness.ts';
import { describeStatus } from './status.ts';

export interface AdminOptions {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  /** Brings counts of nodes up to date where workers have them; false when one did not say in time. */
  readonly refresh?: () => Promise<boolean>;
  /** Null where this process serves by itself. */
  readonly workers?: () => readonly WorkerStatus[] | null;
  /** Why this gateway should be started anew; null where it should not. */
  readonly notLive?: () => NotLive | null;
  /** True from the moment that shutdown begins. */
  readonly draining: () => boolean;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly version: string;
  /** The configuration as `/status` shows it: secrets already taken out. */
  readonly config: unknown;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Why no requests should be sent here now. */
type NotReady = 'draining' | 'discovery_incomplete' | 'no_worker';

const PATHS = [
  '/metrics',
  '/health/live',
  '/health/ready',
  '/status',
  'POST /brokers/HOST:PORT/cordon, drain or return',
];

/**
 * The admin listener, for operators and probes and never for Druid's clients: not yet listening. It logs nothing,
 * and closing it cuts its connections at once, since a scrape is not worth waiting for.
 */
export function createAdmin(options: AdminOptions): FastifyInstance {
  const {
    cluster,
    metrics,
    draining,
    notLive = () => null,
    errors,
    refresh = async () => true,
    workers,
    now = Date.now,
  } = options;
  const started = now();
  const nextId = createRequestIds();
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 1024,
    // Fastify's own does not know whether the request has been answered already, or which one has its turn.
    clientErrorHandler: (error: Error, socket: Socket) =>
      contain(
        () => answerClientError(error, socket, nextId(undefined)),
        (thrown) => {
          errors.report('admin', thrown);
          socket.destroy();
        },
      ),
  }) as unknown as FastifyInstance;
  app.server.prependListener('request', knowResponse);
  // Node would answer 417 by itself, and what is wrong with the body would be answered once more.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('onListen', async () => {
    // A connection that could not be accepted.
    app.server.on('error', (error) => errors.report('admin', error));
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  function notReady(): NotReady | null {
    if (draining()) return 'draining';
    if (!cluster.view.complete) return 'discovery_incomplete';
    return workers?.()?.every(({ state }) => state !== 'serving') ? 'no_worker' : null;
  }
  let rendering: Promise<string> | null = null;
  /** One text for all who ask while it is made: a connection can ask for it a thousand times in one packet. */
  function render(): Promise<string> {
    rendering ??= metrics.render().finally(() => {
      rendering = null;
    });
    return rendering;
  }
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await render()));
  app.get('/health/live', async (_request, reply) => {
    const reason = notLive();
    return reason === null ? { status: 'live' } : reply.code(503).send({ status: 'not live', reason });
  });
  app.get('/health/ready', async (_request, reply) => {
    const reason = notReady();
    return reason === null ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason });
  });
  app.get('/status', async () => {
    await refresh();
    return describeStatus(options, started, now());
  });
  // An action has no body; what a client says of it does not matter.
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    payload.once('end', () => done(null, undefined));
  });
  registerBrokerActions(app, cluster, refresh);
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found', paths: PATHS }));
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error);
    if (status === 500) errors.report('admin', error);
    return reply.code(status).send({ error: status < 500 ? 'bad request' : 'internal error' });
  });
  return app;
}

/** Fastify says 4xx of what a client did; whatever else is thrown, if it is an error at all, is a fault of ours. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 0;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
