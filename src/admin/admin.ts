import type { FastifyInstance } from 'fastify';
import type { ShownSetting } from '../config/shown-settings.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { Report } from '../doctor/examine.ts';
import { Addresses } from '../feeds/addresses.ts';
import { PublishedView } from '../feeds/published-view.ts';
import type { MetricsJson } from '../workers/protocol/messages.ts';
import { registerBrokerActions } from './broker-actions.ts';
import { registerDashboard } from './dashboard/dashboard.ts';
import { registerDoctor } from './doctor.ts';
import { registerEnvoy } from './envoy.ts';
import { registerEvents } from './events.ts';
import { type ExplainHere, registerExplain } from './explain.ts';
import { createGuard, type GuardOptions } from './guard.ts';
import { HEALTH_PATHS, type HealthSources, registerHealth } from './health.ts';
import type { History } from './history/history.ts';
import { createListener, type ListenerOptions } from './listener.ts';
import { type LogLevelControl, registerLogLevel } from './log-level.ts';
import { type ReloadResult, registerReload } from './reload.ts';
import { describeState, describeStatus, type State } from './status.ts';
import { registerView } from './view.ts';

export interface AdminOptions extends HealthSources, GuardOptions, Omit<ListenerOptions, 'paths'> {
  readonly discovery: Discovery;
  /** Updates the counts of nodes from the workers; false if a worker did not answer in time. */
  readonly refresh?: () => Promise<boolean>;
  /** Reads the counters that the traffic is computed from, and updates the counts of nodes. */
  readonly sampleTraffic?: () => Promise<MetricsJson>;
  /** The view as others are shown it; by default one of its own. */
  readonly published?: PublishedView;
  /** Examines the set-up without credentials; absent, there is no `/doctor`. */
  readonly examine?: () => Promise<Report>;
  /** Takes up a changed configuration; absent if it cannot. */
  readonly reload?: () => Promise<ReloadResult>;
  /** The record of leadership, if one is kept. */
  readonly history?: Pick<History, 'body' | 'onTerm'>;
  /** Absent if requests are not to be explained. */
  readonly explain?: ExplainHere;
  /** Absent if the level is not to be changed. */
  readonly logLevel?: LogLevelControl;
  readonly version: string;
  /** The configuration as `/status` shows it, with secrets already removed. */
  readonly config: unknown;
  /** The same as a list, with the origin of each value. */
  readonly settings?: () => readonly ShownSetting[];
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Creates the admin listener, not yet listening. It is for operators and probes, never for Druid's clients. */
export function createAdmin(options: AdminOptions): FastifyInstance {
  const {
    cluster,
    refresh = async () => true,
    sampleTraffic = async () => [],
    settings = () => [],
    explain,
    history,
    logLevel,
    reload,
    examine,
    published = new PublishedView(options),
    now = Date.now,
  } = options;
  const started = now();
  const state = (): State => describeState(options, started, now());
  const guard = createGuard(options);
  const app = createListener({
    ...options,
    paths: [
      '/',
      ...HEALTH_PATHS,
      '/status',
      '/events',
      '/view',
      '/sd/prometheus',
      'POST /v3/discovery:endpoints',
      '/history',
      ...(examine === undefined ? [] : ['/doctor']),
      'POST /explain',
      'POST /brokers/HOST:PORT/cordon, drain or return',
      '/log-level',
      'PUT /log-level',
      'POST /reload',
    ],
  });
  registerHealth(app, options);
  app.get('/status', { onRequest: guard.read }, async () => {
    await refresh();
    return describeStatus(options, started, now());
  });
  if (examine !== undefined) registerDoctor(app, examine, guard);
  // Actions have no body; ignore whatever the client sends.
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    payload.once('end', () => done(null, undefined));
  });
  registerBrokerActions(app, cluster, refresh, guard);
  if (explain !== undefined) registerExplain(app, guard, explain);
  if (history !== undefined) app.get('/history', { onRequest: guard.read }, async () => history.body);
  if (logLevel !== undefined) registerLogLevel(app, guard, logLevel);
  if (reload !== undefined) registerReload(app, guard, reload);
  registerView(app, guard, { ...options, published });
  registerEnvoy(app, guard, published, new Addresses());
  registerEvents(app, guard, { ...options, state, sampleTraffic, now });
  registerDashboard(app, guard, { ...options, refresh, state, settings, needsToken: options.token != null });
  return app;
}

/** Creates a listener with health and metrics only, not yet listening. For probes and scrapes from anywhere. */
export function createHealth(options: HealthSources & Pick<ListenerOptions, 'errors'>): FastifyInstance {
  const { errors } = options;
  const app = createListener({ errors, paths: HEALTH_PATHS });
  registerHealth(app, options);
  return app;
}
