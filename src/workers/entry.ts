import cluster from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import { createLogger, endLogger } from '../admin/logger.ts';
import { EXIT_INTERNAL_ERROR, onProcessError, PROCESS_ERRORS } from '../process-errors.ts';
import { forTimer } from '../timer.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { createWorker, type Worker } from './worker.ts';

/** A worker's process, as `crew.ts` starts it. */

/** What closing may take beyond the configured delay and drain. */
const CLOSE_SLACK_MS = 5_000;
/** What is under way in a process that has met an error of its own has so long. */
const LAST_MOMENT_MS = 1_000;

/** Resolves when it has been written. What is still said after the primary has ended is for nobody. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

interface Running {
  readonly worker: Worker;
  /** Drains and ends the process; again, does nothing. */
  end(): void;
}

function begin(message: Extract<ToWorker, { kind: 'begin' }>): Running {
  const { log, shutdown } = message.config;
  const logger = createLogger({ level: log.level, shared: true });
  const worker = createWorker({ begin: message, logger, send: (said) => void send(said) });
  let ending = false;
  onProcessError((err) => {
    ending = true;
    logger.fatal({ err, worker: message.worker }, 'an error of the gateway itself; the worker ends');
    const end = (): never => process.exit(EXIT_INTERNAL_ERROR);
    setTimeout(end, LAST_MOMENT_MS);
    void send({ kind: 'broken' });
    void worker
      .stop({ delay: 0, drain: LAST_MOMENT_MS - 200 })
      .then((metrics) => send({ kind: 'last', metrics }))
      .then(end);
  });
  const delay = forTimer(shutdown.delay + shutdown.drain + CLOSE_SLACK_MS);
  const grace = closeWithGrace({ delay, logger: false, skip: PROCESS_ERRORS }, async () => {
    ending = true;
    void send({ kind: 'draining' });
    await send({ kind: 'last', metrics: await worker.stop(shutdown) });
    await endLogger(logger);
  });
  void worker.listen().then(async (said) => {
    await send(said);
    if (said.kind === 'failed') process.exit(1);
  });
  return {
    worker,
    end() {
      if (!ending) void grace.close();
    },
  };
}

let running: Running | null = null;

function end(): void {
  if (running === null) process.exit(0);
  running.end();
}

process.on('message', (message: ToWorker) => {
  if (message.kind === 'begin') running = begin(message);
  else if (message.kind === 'stop') end();
  else running?.worker.receive(message);
});
process.once('disconnect', end);
// Otherwise Node ends a worker the moment that its primary is gone, with the requests that it has.
if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
void send({ kind: 'ready' });
