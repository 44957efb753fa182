import cluster from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import { createLogger, endLogger } from '../admin/logger.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { createWorker, type Worker } from './worker.ts';

/** A worker's process, as `crew.ts` starts it. */

/** What closing may take beyond the configured delay and drain. */
const CLOSE_SLACK_MS = 5_000;

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
  const delay = shutdown.delay + shutdown.drain + CLOSE_SLACK_MS;
  const grace = closeWithGrace({ delay, logger: false }, async ({ err }) => {
    ending = true;
    if (err) logger.fatal({ err, worker: message.worker }, 'a fault of the gateway itself');
    void send({ kind: 'draining' });
    await send({ kind: 'last', metrics: await worker.stop() });
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
