import cluster, { type Worker as Process } from 'node:cluster';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { FAULT_CODE } from '../../faults/process-fault.ts';
import { type Backoff, createBackoff } from '../../time/backoff.ts';
import { type FromWorker, type ListenFailure, PULSE_MS, type ToWorker } from '../protocol/messages.ts';
import type { ExitReason, WorkerExit, WorkerStatus } from '../worker-status.ts';

/** One worker process, from its start to its end. Another process then takes its slot. */
export interface PoolWorker {
  /** Number of its slot, from 1; a replacement keeps it. */
  readonly number: number;
  readonly pid: number | null;
  readonly state: WorkerStatus['state'];
  /** Start time on the monotonic clock, in ms. */
  readonly since: number;
  /** How often the workers of this slot have been replaced. */
  readonly restarts: number;
  /** How the last process of this slot that ended did so; null if none has. */
  readonly lastExit: WorkerExit | null;
  /** Does nothing if the process has closed its channel. */
  send(message: ToWorker): void;
}

export interface WorkerPoolOptions {
  readonly size: number;
  /** The file that a worker's process runs. */
  readonly entry: string;
  readonly logger: Logger;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** The process is ready to receive its first messages. If this throws, the process is replaced. */
  readonly onReady: (worker: PoolWorker) => void;
  readonly onMessage: (worker: PoolWorker, message: FromWorker) => void;
  /** The process has ended and its last message has been handled. */
  readonly onEnd: (worker: PoolWorker) => void;
}

/** Starts the worker processes, replaces those that die, and stops them. */
export interface WorkerPool {
  /** The newest process of each slot, even if it has ended and no replacement has started. */
  readonly newest: readonly PoolWorker[];
  /** All processes that have not ended, replaced ones included. */
  readonly living: readonly PoolWorker[];
  /** Number of ended processes, by reason. */
  readonly exits: Readonly<Record<ExitReason, number>>;
  /** Resolves when all workers listen. If one cannot, rejects after all have ended. */
  start(): Promise<AddressInfo>;
  /** Asks the workers to drain; kills those still running after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

interface WorkerSlot {
  readonly number: number;
  readonly backoff: Backoff;
  restarts: number;
  lastExit: WorkerExit | null;
  worker: WorkerProcess | null;
}

/** A worker as the pool itself knows it. */
interface WorkerProcess extends Writable<PoolWorker> {
  readonly slot: WorkerSlot;
  readonly process: Process;
  /** Why it is about to end, if known. */
  reason: ExitReason | null;
  /** Pulses missed since its last message. */
  silence: number;
  deadline: NodeJS.Timeout | null;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A worker that lived this long, in ms, is replaced without delay. */
const STABLE_MS = 10_000;
/** This many short-lived workers in a row are also replaced without delay. */
const FREE_STARTS = 2;
const LONGEST_DELAY_MS = 10_000;
/** Longest delay, in ms, when no other worker is serving or starting. */
const LONGEST_ALONE_MS = 500;
/** A worker that misses this many pulses is stuck: ten seconds, or a minute while it starts. */
const SILENT_PULSES = 10_000 / PULSE_MS;
const SILENT_PULSES_AT_START = 60_000 / PULSE_MS;
/** A worker at fault ends by itself within this time, in ms. */
const FAULT_END_MS = 3_000;
/** Keeps SIGUSR1 from opening the debugger. */
const WORKER_FLAGS = ['--disable-sigusr1'];
/** Signals that a process raises itself: out of memory, a failed assertion, a fault in native code. */
const OWN_SIGNALS = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP']);

/**
 * Creates a pool; `start` forks the processes. An error thrown by a message, a timer or the end of one worker is
 * reported. It stops neither the steps that follow nor the other workers: steps that others depend on run guarded,
 * or before the steps that may fail.
 */
export function createWorkerPool({
  size,
  entry,
  logger,
  errors,
  onReady,
  onMessage,
  onEnd,
}: WorkerPoolOptions): WorkerPool {
  const places = Array.from({ length: size }, (_, i) => createPlace(i + 1));
  const living = new Set<WorkerProcess>();
  const exits: Record<ExitReason, number> = { fault: 0, killed: 0, stuck: 0, stopped: 0, error: 0 };
  const timers = new Set<NodeJS.Timeout>();
  const started = Promise.withResolvers<AddressInfo>();
  let watching: NodeJS.Timeout | undefined;
  let running = false;
  let stopping = false;

  const report = (error: unknown): void => errors.report('worker', error);
  const guarded = (step: () => void): void => contain(step, report);

  // Whatever ends this process must end the workers too, at once unless a shutdown is waiting for them.
  const killAll = (): void => {
    for (const worker of living) guarded(() => kill(worker));
  };

  function fork(place: WorkerSlot): void {
    const worker = createWorkerProcess(place, cluster.fork());
    const child = worker.process;
    place.worker = worker;
    living.add(worker);
    const end = (code: number | null, signal: string | null): void =>
      guarded(() => ended(worker, code, signal));
    child.on('message', (message: FromWorker) => guarded(() => take(worker, message)));
    child.on('error', () => {
      // A broken channel is followed by the end of the process, unless the process never started.
      if (child.process.pid === undefined) end(null, null);
    });
    child.once('exit', (code, signal) => {
      // Its last messages may still be on their way.
      if (child.isConnected()) child.once('disconnect', () => end(code, signal));
      else end(code, signal);
    });
  }

  function take(worker: WorkerProcess, message: FromWorker): void {
    worker.silence = 0;
    if (message.kind === 'ready') {
      contain(
        () => onReady(worker),
        (error) => cannotBegin(worker, error),
      );
    } else if (message.kind === 'listening') {
      if (worker.state === 'starting') worker.state = 'serving';
      if (places.every(({ worker }) => worker?.state === 'serving')) started.resolve(message.address);
    } else if (message.kind === 'failed') {
      started.reject(systemError(message.failure));
      logger.error({ worker: worker.number, why: message.failure.message }, 'a worker cannot listen');
    } else if (message.kind === 'draining') {
      worker.state = 'draining';
    } else if (message.kind === 'fault') {
      atFault(worker);
    }
    onMessage(worker, message);
  }

  /** The worker lacks what it needs to serve and would wait for ever. Kill it, so it is replaced. */
  function cannotBegin(worker: WorkerProcess, error: unknown): void {
    report(error);
    kill(worker);
    worker.reason = 'error';
  }

  /**
   * Replaces it at once and kills it soon: the client that found the fault must not keep it alive with an open
   * request.
   */
  function atFault(worker: WorkerProcess): void {
    const { slot: place, number, pid } = worker;
    if (worker.reason !== null) return;
    worker.reason = 'fault';
    worker.state = 'draining';
    worker.deadline = setTimeout(() => guarded(() => kill(worker)), FAULT_END_MS);
    started.reject(new Error(`worker ${number} was at fault while it started`));
    const delay = replace(place, worker);
    if (delay !== null)
      logger.error({ worker: number, pid, delay }, 'a worker is at fault; another takes its place');
  }

  function ended(worker: WorkerProcess, code: number | null, signal: string | null): void {
    if (!living.delete(worker)) return;
    const { slot: place, number, pid } = worker;
    // A worker that reported a fault was replaced at that time.
    const replaced = worker.reason === 'fault';
    const reason = worker.reason ?? reasonOf(code, signal, stopping);
    if (worker.deadline !== null) clearTimeout(worker.deadline);
    worker.pid = null;
    worker.state = 'gone';
    exits[reason]++;
    place.lastExit = { reason, code, signal, when: new Date().toISOString() };
    started.reject(new Error(`worker ${number} ended while it started`));
    const delay = replaced ? null : replace(place, worker);
    guarded(() => onEnd(worker));
    const end = { worker: number, pid, reason, code, signal };
    if (replaced) logger.info(end, 'a worker that was at fault ended');
    if (delay === null) return;
    logger[reason === 'stopped' ? 'info' : 'error'](
      { ...end, delay },
      'a worker ended; another takes its place',
    );
  }

  /** Returns the delay in ms until the replacement starts, or null if there will be none. */
  function replace(place: WorkerSlot, worker: WorkerProcess): number | null {
    if (!running || stopping) return null;
    let delay = LONGEST_ALONE_MS;
    guarded(() => {
      delay = delayOf(place, worker);
    });
    if (delay === 0) takePlace(place);
    else takePlaceIn(delay, place);
    return delay;
  }

  function delayOf(place: WorkerSlot, worker: WorkerProcess): number {
    place.backoff.ended(performance.now() - worker.since);
    const alone = !places.some(({ worker }) => worker?.state === 'serving' || worker?.state === 'starting');
    return Math.min(place.backoff.delay(), alone ? LONGEST_ALONE_MS : LONGEST_DELAY_MS);
  }

  function takePlaceIn(ms: number, place: WorkerSlot): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      guarded(() => takePlace(place));
    }, ms);
    timers.add(timer);
  }

  function takePlace(place: WorkerSlot): void {
    try {
      fork(place);
      place.restarts++;
    } catch (error) {
      // The system cannot provide another process, or memory for one.
      takePlaceIn(LONGEST_ALONE_MS, place);
      logger.error({ worker: place.number, err: error }, 'a worker cannot be started');
    }
  }

  /**
   * Counts timer turns of this process, not time: messages that workers sent while the primary was busy or frozen
   * are handled before the next turn.
   */
  function missPulses(): void {
    for (const worker of living) guarded(() => missPulse(worker));
  }

  function missPulse(worker: WorkerProcess): void {
    const { number, pid, state } = worker;
    const most = state === 'starting' ? SILENT_PULSES_AT_START : SILENT_PULSES;
    if (worker.reason !== null || ++worker.silence <= most) return;
    kill(worker);
    worker.reason = 'stuck';
    const silentSeconds = (most * PULSE_MS) / 1_000;
    logger.error({ worker: number, pid, silentSeconds }, 'a worker takes no messages and is killed');
  }

  function end(deadlineMs: number): Promise<unknown> {
    stopping = true;
    clearInterval(watching);
    for (const timer of timers) clearTimeout(timer);
    for (const worker of living) guarded(() => worker.send({ kind: 'stop' }));
    const deadline = setTimeout(killAll, deadlineMs);
    const ends = Array.from(living, gone);
    return Promise.all(ends).finally(() => clearTimeout(deadline));
  }

  return {
    get newest() {
      return places.flatMap(({ worker }) => worker ?? []);
    },
    get living() {
      return [...living];
    },
    exits,
    async start() {
      running = true;
      // The workers share one socket: no process hands connections on, and a hung worker accepts none.
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      cluster.setupPrimary({
        exec: entry,
        args: [],
        execArgv: [...process.execArgv, ...WORKER_FLAGS],
        serialization: 'advanced',
      });
      process.once('exit', killAll);
      for (const place of places) fork(place);
      watching = setInterval(missPulses, PULSE_MS).unref();
      try {
        return await started.promise;
      } catch (error) {
        await end(0);
        throw error;
      }
    },
    async stop(deadlineMs) {
      await end(deadlineMs);
      process.off('exit', killAll);
    },
  };
}

function createPlace(number: number): WorkerSlot {
  return {
    number,
    backoff: createBackoff({
      servers: FREE_STARTS,
      random: Math.random,
      capMs: LONGEST_DELAY_MS,
      stableMs: STABLE_MS,
    }),
    restarts: 0,
    lastExit: null,
    worker: null,
  };
}

function createWorkerProcess(place: WorkerSlot, child: Process): WorkerProcess {
  return {
    slot: place,
    number: place.number,
    process: child,
    pid: child.process.pid ?? null,
    state: 'starting',
    since: performance.now(),
    reason: null,
    silence: 0,
    deadline: null,
    get restarts() {
      return place.restarts;
    },
    get lastExit() {
      return place.lastExit;
    },
    send(message) {
      if (child.isConnected()) child.send(message);
    },
  };
}

/** Resolves when the process has ended. Unlike `once`, it does so even if the channel breaks first. */
function gone({ process: child }: WorkerProcess): Promise<void> {
  if (child.process.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
  });
}

function kill({ process: child }: WorkerProcess): void {
  child.process.kill('SIGKILL');
}

/** The reason for an end that was not known beforehand. */
function reasonOf(code: number | null, signal: string | null, stopping: boolean): ExitReason {
  if (code === FAULT_CODE) return 'fault';
  if (stopping || code === 0) return 'stopped';
  return signal === null || OWN_SIGNALS.has(signal) ? 'error' : 'killed';
}

function systemError({ message, ...details }: ListenFailure): Error {
  return Object.assign(new Error(message), details);
}
