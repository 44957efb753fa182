import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { createLogger, endLogger } from '../admin/logger.ts';
import { FAULT_CODE, lastLog, logFault, onFault } from '../fault.ts';
import { forTimer } from '../timer.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { createWorker, type Worker } from './worker.ts';

/** A worker's process, as `crew.ts` starts it. */

/** What closing may take beyond the configured delay and drain. */
const CLOSE_SLACK_MS = 5_000;
/** What is under way has so long to end when the process is at fault. */
const FAULT_DRAIN_MS = 1_000;
const CUT_MS = 200;
/** Whatever else that takes, the process ends after so long. */
const FAULT_END_MS = 2_500;

/** Resolves when it has been written. What is still said after the primary has ended is for nobody. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

interface Running {
  readonly number: number;
  readonly worker: Worker;
  readonly logger: Logger;
  /** Where it drains already: resolves when it has. */
  drained: Promise<void> | null;
  /** Drains and ends the process; again, does nothing. */
  end(): void;
}

let running: Running | null = null;
let faulty = false;

function begin(message: Extract<ToWorker, { kind: 'begin' }>): Running {
  const { log, shutdown } = message.config;
  const logger = createLogger({ level: log.level, shared: true });
  const worker = createWorker({ begin: message, logger, send: (said) => void send(said) });
  const grace = closeWithGrace(
    {
      delay: forTimer(shutdown.delay + shutdown.drain + CLOSE_SLACK_MS),
      logger: false,
      skip: ['uncaughtException', 'unhandledRejection'],
    },
    async () => {
      // It ends sooner, and with a code of its own.
      if (faulty) return new Promise(() => {});
      void send({ kind: 'draining' });
      began.drained = worker.stop();
      await began.drained;
      await send({ kind: 'last', metrics: await worker.metrics() });
      await endLogger(logger);
    },
  );
  void worker.listen().then(async (said) => {
    await send(said);
    if (said.kind === 'failed') process.exit(1);
  });
  const began: Running = {
    number: message.worker,
    worker,
    logger,
    drained: null,
    end() {
      if (began.drained === null && !faulty) void grace.close();
    },
  };
  return began;
}

function end(): void {
  if (running === null) process.exit(0);
  running.end();
}

/** Nothing of this process can be trusted any more; another one takes its place meanwhile. */
function endOfFault(error: unknown): void {
  faulty = true;
  void send({ kind: 'fault' });
  const exit = (): void => process.exit(FAULT_CODE);
  setTimeout(exit, FAULT_END_MS);
  const logger = running?.logger ?? createLogger({ level: 'fatal', shared: true });
  logFault(logger, error, running === null ? {} : { worker: running.number });
  bow(logger).then(exit, exit);
}

async function bow(logger: Logger): Promise<void> {
  if (running !== null) {
    const { worker, drained } = running;
    const time = { delay: 0, drain: FAULT_DRAIN_MS };
    const stopped = (drained ?? worker.stop(time)).catch(() => {});
    // Connections are cut at the end of the drain, by the door and not with the process: clients are to see a reset.
    await Promise.race([stopped, sleep(FAULT_DRAIN_MS + CUT_MS)]);
    await send({ kind: 'last', metrics: await worker.metrics() });
  }
  await lastLog(logger);
}

onFault(endOfFault);
process.on('message', (message: ToWorker) => {
  if (message.kind === 'begin') running = begin(message);
  else if (message.kind === 'stop') end();
  else running?.worker.receive(message);
});
process.once('disconnect', end);
// Otherwise Node ends a worker the moment that its primary is gone, with the requests that it has.
if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
void send({ kind: 'ready' });
