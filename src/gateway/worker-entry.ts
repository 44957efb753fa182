import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { contain, createInternalErrors, type InternalErrors } from '../faults/internal-errors.ts';
import { FAULT_CODE, logFault, onFault } from '../faults/process-fault.ts';
import { createLogger, endLogger, lastLog, onLogError } from '../logs/logger.ts';
import { forTimer } from '../time/timer.ts';
import type { FromWorker, ToWorker } from '../workers/protocol/messages.ts';
import { collectAfterStart, keepObjectsYoung, optimizeInOneStep } from './heap.ts';
import { createWorker, type Worker } from './worker.ts';

/** The main module of a worker process, which `worker-pool.ts` starts. */

/** Time beyond the configured delay and drain for closing, in ms. */
const CLOSE_SLACK_MS = 5_000;
/** Time that running requests have to end when the process is at fault, in ms. */
const FAULT_DRAIN_MS = 1_000;
const CUT_MS = 200;
/** The process ends after this time, in ms, even if the steps above take longer. */
const FAULT_END_MS = 2_500;

/** Calls `sent` when the message is written, or cannot be because the primary has ended. */
function tell(message: FromWorker, sent: () => void): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => sent());
  else sent();
}

/** Resolves when the message is sent. An error is reported and resolves it too. */
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
  /** Resolves when the drain that has begun ends; null before it begins. */
  drained: Promise<void> | null;
  /** Drains and ends the process; a second call does nothing. */
  end(): void;
}

let running: Running | null = null;
let faulty = false;

/** Reports an error. A worker that has not begun ends: it has nothing else to do. */
function report(error: unknown): void {
  if (running === null) endOfFault(error);
  else running.errors.report('worker', error);
}

function begin(message: Extract<ToWorker, { kind: 'begin' }>): Running {
  const { log, shutdown } = message.config;
  const logger = createLogger({ level: log.level, format: log.format, shared: true });
  const errors = createInternalErrors(logger);
  onLogError(logger, (error) => errors.report('log', error));
  const worker = createWorker({ begin: message, logger, errors, send: (said) => tell(said, () => {}) });
  const grace = closeWithGrace(
    {
      delay: forTimer(shutdown.delay + shutdown.drain + CLOSE_SLACK_MS),
      logger: false,
      skip: ['uncaughtException', 'unhandledRejection', 'SIGHUP'],
    },
    async () => {
      // The end of a faulty process is already scheduled, and has its own exit code.
      if (faulty) return new Promise(() => {});
      void send({ kind: 'draining' });
      began.drained = worker.stop();
      await began.drained;
      await send(await worker.last());
      await endLogger(logger);
    },
  );
  void worker.listen().then(async (said) => {
    await send(said);
    if (said.kind === 'failed') process.exit(1);
    collectAfterStart();
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

/** This process can no longer be trusted; the primary starts another one meanwhile. */
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
    // At the end of the drain the door cuts the connections, not the end of the process: clients must see a reset.
    await Promise.race([stopped, sleep(FAULT_DRAIN_MS + CUT_MS)]);
    await send(await worker.last());
  }
  await lastLog(logger);
}

keepObjectsYoung();
optimizeInOneStep();
onFault(endOfFault);
// A terminal that closes sends it to all processes; the primary says what to do.
process.on('SIGHUP', () => {});
process.on('message', (message: ToWorker) => contain(() => receive(message), report));
process.once('disconnect', () => contain(end, report));
// Otherwise Node would end a worker, and its requests, the moment its primary is gone.
if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
void send({ kind: 'ready' });
