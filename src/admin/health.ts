import type { FastifyInstance } from 'fastify';
import type { Cluster } from '../cluster/cluster.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';
import type { NotLive } from './liveness.ts';

export interface HealthSources {
  readonly cluster: Cluster;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  /** Null if this process serves by itself. */
  readonly workers?: () => readonly WorkerStatus[] | null;
  /** Why this gateway should be restarted; null if it should not. */
  readonly notLive?: () => NotLive | null;
  /** True from the start of the shutdown. */
  readonly draining: () => boolean;
}

/** Paths that change nothing and reveal no secret; open to everyone who reaches the listener. */
export const HEALTH_PATHS = ['/metrics', '/health/live', '/health/ready'];

/** Why no requests should be sent here now. */
type NotReady = 'draining' | 'discovery_incomplete' | 'no_worker';

/** Registers `/metrics`, `/health/live` and `/health/ready`. */
export function registerHealth(app: FastifyInstance, sources: HealthSources): void {
  const { cluster, metrics, workers, notLive = () => null, draining } = sources;
  function notReady(): NotReady | null {
    if (draining()) return 'draining';
    if (!cluster.view.complete) return 'discovery_incomplete';
    return workers?.()?.every(({ state }) => state !== 'serving') ? 'no_worker' : null;
  }
  let rendering: Promise<string> | null = null;
  /** Renders once for all requests that arrive meanwhile: one packet can hold a thousand of them. */
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
}
