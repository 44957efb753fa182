import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { contain, createInternalErrors, type InternalErrors } from '../faults/internal-errors.ts';
import { FAULT_CODE, logFault, onFault } from '../faults/process-fault.ts';
import { createLogger, endLogger, lastLog, onLogError } from '../logs/logger.ts';
import { forTimer } from '../time/timer.ts';
import type { FromWorker, ToWorker } from '../workers/protocol/messages.ts';
import { createWorker, type Worker } from './worker.ts';

/** A worker's process, as `worker-pool.ts` starts it. */

/** What closing may take beyond the configured delay and drain. */
const CLOSE_SLACK_MS = 5_000;
/** What is under way has so long to end when the process is at fault. */
const FAULT_DRAIN_MS = 1_000;
const CUT_MS = 200;
/** Whatever else that takes, the process ends after so long. */
const FAULT_END_MS = 2_500;

/** `sent` is called when it has been written, or cannot be any more since the primary has ended. */
function tell(message: FromWorker, sent: () => void): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => sent());
  else sent();
}

/** Resolves when that has been said, and also where it throws, which is reported. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    contain(
      () => tell(message, resolve),
      (error) => {
        report(error);
        resolve();
      },
    );
  });
}

interface Running {
  readonly number: number;
  readonly worker: Worker;
  readonly logger: Logger;
  readonly errors: InternalErrors;
  /** Where it drains already: resolves when it has. */
  drained: Promise<void> | null;
  /** Drains and ends the process; again, does nothing. */
  end(): void;
}

let running: Running | null = null;
let faulty = false;

/** A worker that has not begun ends: there is nothing else in it that could go on. */
function report(error: unknown): void {
  if (running === null) endOfFault(error);
  else running.errors.report('worker', error);
}

function begin(message: Extract<ToWorker, { kind: 'begin' }>): Running {
  const { log, shutdown } = message.config;
  const logger = createLogger({ level: log.level, shared: true });
  const errors = createInternalErrors(logger);
  onLogError(logger, (error) => errors.report('log', error));
  const worker = createWorker({ begin: message, logger, errors, send: (said) => tell(said, () => {}) });
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
    errors,
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

function receive(message: ToWorker): void {
  if (message.kind === 'begin') running = begin(message);
  else if (message.kind === 'stop') end();
  else running?.worker.receive(message);
}

/** Nothing of this process can be trusted any more; another one takes its place meanwhile. */
function endOfFault(error: unknown): void {
  if (faulty) return;
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
process.on('message', (message: ToWorker) => contain(() => receive(message), report));
process.once('disconnect', () => contain(end, report));
// Otherwise Node ends a worker the moment that its primary is gone, with the requests that it has.
if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
void send({ kind: 'ready' });
