import type { FastifyInstance } from 'fastify';
import type { Discovery } from '../discovery/discovery.ts';
import { registerBrokerActions } from './broker-actions.ts';
import { createGuard, type GuardOptions } from './guard.ts';
import { HEALTH_PATHS, type HealthSources, registerHealth } from './health.ts';
import { createListener, type ListenerOptions } from './listener.ts';
import { describeStatus } from './status.ts';

export interface AdminOptions extends HealthSources, GuardOptions, Omit<ListenerOptions, 'paths'> {
  readonly discovery: Discovery;
  /** Brings counts of nodes up to date where workers have them; false when one did not say in time. */
  readonly refresh?: () => Promise<boolean>;
  readonly version: string;
  /** The configuration as `/status` shows it: secrets already taken out. */
  readonly config: unknown;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** The admin listener, for operators and probes and never for Druid's clients: not yet listening. */
export function createAdmin(options: AdminOptions): FastifyInstance {
  const { cluster, refresh = async () => true, now = Date.now } = options;
  const started = now();
  const guard = createGuard(options);
  const app = createListener({
    ...options,
    paths: [...HEALTH_PATHS, '/status', 'POST /brokers/HOST:PORT/cordon, drain or return'],
  });
  registerHealth(app, options);
  app.get('/status', { onRequest: guard.read }, async () => {
    await refresh();
    return describeStatus(options, started, now());
  });
  // An action has no body; what a client says of it does not matter.
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    payload.once('end', () => done(null, undefined));
  });
  registerBrokerActions(app, cluster, refresh, guard);
  return app;
}

/** A listener that has health and metrics only, for probes and scrapes from anywhere: not yet listening. */
export function createHealth(options: HealthSources & Pick<ListenerOptions, 'errors'>): FastifyInstance {
  const { errors } = options;
  const app = createListener({ errors, paths: HEALTH_PATHS });
  registerHealth(app, options);
  return app;
}
