import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import type { Config } from '../config/schema.ts';
import { contain } from '../faults/internal-errors.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { workerMetrics } from '../metrics/worker-metrics.ts';
import { forTimer } from '../time/timer.ts';
import { createCensus } from '../workers/primary/census.ts';
import { createCrew, type Member } from '../workers/primary/crew.ts';
import { createHub } from '../workers/primary/hub.ts';
import { lasting, mergeMetrics, renderMetrics } from '../workers/primary/merge-metrics.ts';
import { workerConfig } from '../workers/primary/worker-config.ts';
import type { FromWorker, MetricsJson, WorkerAnswer } from '../workers/protocol/messages.ts';
import { watchTime } from '../workers/protocol/watch-list.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';
import type { ServeOptions } from './serve-here.ts';
import type { Servers } from './servers.ts';
import { listenTls } from './tls-files.ts';

/** A worker that does not answer for so long is left out of a scrape, or counts as it did before. */
const PATIENCE_MS = 1_000;
/** What a worker may take beyond the configured delay and drain; it gives up a little earlier itself. */
const END_SLACK_MS = 6_000;

/** Worker processes serve; this one tells them what the cluster is like, and adds up what they count. */
export function serveByWorkers({
  config,
  cluster,
  discovery,
  logger,
  errors,
  liveness,
  version,
}: ServeOptions): Servers {
  // Each worker reads these files, and what is wrong with them is to be known before there is any.
  if (config.listen.tls !== undefined) listenTls(config.listen.tls);
  const registry = new Registry();
  const metrics = createMetrics({ cluster, discovery, errors, version, registry, worker: 'primary' });
  const census = createCensus(PATIENCE_MS);
  /** What each worker last said that it had counted. */
  const counts = new Map<Member, MetricsJson>();
  const inFlight = new Map<Member, number>();
  /** Who answered the last question. */
  const answering = new Set<Member>();
  /** Who has said what it had counted in the end; an answer that is handed out later is older. */
  const finished = new WeakSet<Member>();
  let retired: MetricsJson = [];
  let port = config.listen.port;

  const guarded = (step: () => void): void => contain(step, (error) => errors.report('worker', error));

  const crew = createCrew({
    entry: fileURLToPath(new URL(`./worker-entry${extname(import.meta.filename)}`, import.meta.url)),
    size: config.workers,
    logger,
    errors,
    onReady(member) {
      member.send({
        kind: 'begin',
        worker: member.number,
        config: workerConfig(config, port),
        ...hub.beginning,
      });
      hub.welcome(member);
    },
    onMessage: take,
    onEnd(member) {
      const counted = counts.get(member) ?? [];
      counts.delete(member);
      inFlight.delete(member);
      answering.delete(member);
      guarded(() => census.gone(member));
      guarded(() => hub.loads(member, []));
      guarded(() => {
        retired = mergeMetrics([retired, lasting(counted)]);
      });
    },
  });
  const hub = createHub({
    cluster,
    members: () => crew.everybody,
    watchMs: watchTime(config.health.outlier.maxEjection),
    errors,
  });
  workerMetrics(registry, () => ({
    answering: crew.members.filter((member) => answering.has(member)).length,
    restarts: crew.members.reduce((sum, { restarts }) => sum + restarts, 0),
    exits: crew.exits,
  }));

  function take(member: Member, message: FromWorker): void {
    if (message.kind === 'reports') hub.reports(member, message);
    else if (message.kind === 'connections') hub.connections(message.entries);
    else if (message.kind === 'answer') census.answered(member, message.question, message.answer);
    else if (message.kind === 'last') {
      keep(member, message.metrics);
      finished.add(member);
    } else if (message.kind === 'pulse') {
      liveness.errors(member, message.internalErrors);
      liveness.stalled(message.stallMs);
    }
  }

  /** What cannot be added up throws here, or each scrape would fail by it. */
  function keep(member: Member, metrics: MetricsJson): void {
    mergeMetrics([metrics]);
    counts.set(member, metrics);
  }

  function takeAnswer(member: Member, answer: WorkerAnswer): void {
    if (answer.metrics !== null && !finished.has(member)) keep(member, answer.metrics);
    hub.loads(member, answer.loads);
    inFlight.set(member, answer.inFlight);
    answering.add(member);
  }

  /** False when somebody did not answer. */
  async function ask(withMetrics: boolean): Promise<boolean> {
    hub.push();
    const asked = crew.everybody.filter(({ state }) => state === 'serving' || state === 'draining');
    const answers = await census.ask(asked, withMetrics);
    answering.clear();
    for (const [member, answer] of answers) {
      if (member.state !== 'gone') guarded(() => takeAnswer(member, answer));
    }
    return asked.every((member) => answers.has(member) || member.state === 'gone');
  }

  return {
    async listen() {
      port = await freePort(config.listen);
      return crew.start();
    },
    async stop() {
      const { delay, drain } = config.shutdown;
      await crew.stop(forTimer(delay + drain + END_SLACK_MS));
      hub.close();
      metrics.close();
    },
    metrics: {
      contentType: metrics.contentType,
      async render() {
        await ask(true);
        return renderMetrics([await registry.getMetricsAsJSON(), ...counts.values(), retired]);
      },
    },
    refresh: () => ask(false),
    workers: () =>
      crew.members.map(
        (member): WorkerStatus => ({
          worker: member.number,
          pid: member.pid,
          state: member.state,
          uptime: member.pid === null ? 0 : (performance.now() - member.since) / 1000,
          inFlight: inFlight.get(member) ?? 0,
          restarts: member.restarts,
          ...(member.lastExit === null ? {} : { lastExit: member.lastExit }),
        }),
      ),
  };
}

/**
 * The port to listen on, chosen by the system for 0. That it can be had is found out here, so that it is one error
 * of this process and not one of each worker; and a worker that comes later gets the same.
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
