import cluster, { type Worker as Process } from 'node:cluster';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { WorkerStatus } from '../admin/status.ts';
import { type Backoff, createBackoff } from '../discovery/zookeeper/backoff.ts';
import type { FromWorker, ListenFailure, ToWorker } from './messages.ts';

/** The place of a worker; who holds it changes when one dies. */
export interface Member {
  /** From 1. */
  readonly number: number;
  readonly pid: number | null;
  readonly state: WorkerStatus['state'];
  /** On the monotonic clock, in milliseconds. */
  readonly since: number;
  readonly restarts: number;
  /** Lost where nobody takes it. */
  send(message: ToWorker): void;
}

export interface CrewOptions {
  readonly size: number;
  readonly logger: Logger;
  /** The process is there: what it is told first. */
  readonly onReady: (member: Member) => void;
  readonly onMessage: (member: Member, message: FromWorker) => void;
  /** Whatever it was doing is over. */
  readonly onEnd: (member: Member) => void;
}

/** The worker processes: started, replaced when they die, and ended. */
export interface Crew {
  readonly members: readonly Member[];
  /** Resolves when all of them listen; rejects, with all of them ended, when one cannot. */
  start(): Promise<AddressInfo>;
  /** Has them drain; those that are still there after so many milliseconds are killed. */
  stop(deadlineMs: number): Promise<void>;
}

interface Place extends Writable<Member> {
  process: Process | null;
  readonly backoff: Backoff;
  /** Messages that its channel has not taken yet, and when it last took one. */
  unsent: number;
  takenAt: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A worker that lived for so long had a good start: the next one comes without delay. */
const STABLE_MS = 10_000;
const LONGEST_DELAY_MS = 10_000;
/** A channel that is full and takes nothing for so long is that of a worker that hangs. */
const STUCK_MS = 10_000;

export function createCrew({ size, logger, onReady, onMessage, onEnd }: CrewOptions): Crew {
  const places = Array.from({ length: size }, (_, i) => createPlace(i + 1, stuck));
  const timers = new Set<NodeJS.Timeout>();
  const started = Promise.withResolvers<AddressInfo>();
  let running = false;
  let stopping = false;

  // Whatever ends this process ends the workers: at once where it is not a shutdown that waits for them.
  const killAll = (): void => {
    for (const { process } of places) process?.process.kill('SIGKILL');
  };

  /** What it is told would pile up here. */
  function stuck({ number, pid, process }: Place): void {
    logger.error({ worker: number, pid }, 'a worker takes no messages and is killed');
    process?.process.kill('SIGKILL');
  }

  function fork(place: Place): void {
    const child = cluster.fork();
    place.process = child;
    place.pid = child.process.pid ?? null;
    place.state = 'starting';
    place.since = performance.now();
    place.unsent = 0;
    child.on('message', (message: FromWorker) => take(place, message));
    // A channel that breaks is followed by the end of the process.
    child.on('error', () => {});
    child.once('exit', (code, signal) => ended(place, code, signal));
  }

  function take(place: Place, message: FromWorker): void {
    if (message.kind === 'ready') {
      onReady(place);
    } else if (message.kind === 'listening') {
      place.state = 'serving';
      if (places.every(({ state }) => state === 'serving')) started.resolve(message.address);
    } else if (message.kind === 'failed') {
      logger.error({ worker: place.number, why: message.failure.message }, 'a worker cannot listen');
      started.reject(systemError(message.failure));
    } else if (message.kind === 'draining') {
      place.state = 'draining';
    }
    onMessage(place, message);
  }

  function ended(place: Place, code: number | null, signal: string | null): void {
    const lived = performance.now() - place.since;
    const { number, pid } = place;
    place.process = null;
    place.pid = null;
    place.state = 'gone';
    onEnd(place);
    started.reject(new Error(`worker ${number} ended while it started`));
    if (!running || stopping) return;
    place.backoff.ended(lived);
    const delay = place.backoff.delay();
    // 0 is one that was asked to end and has drained.
    const level = code === 0 ? 'info' : 'error';
    logger[level]({ worker: number, pid, code, signal, delay }, 'a worker ended; another takes its place');
    const timer = setTimeout(() => {
      timers.delete(timer);
      place.restarts++;
      fork(place);
    }, delay);
    timers.add(timer);
  }

  function end(deadlineMs: number): Promise<unknown> {
    stopping = true;
    for (const timer of timers) clearTimeout(timer);
    for (const place of places) place.send({ kind: 'stop' });
    const deadline = setTimeout(killAll, deadlineMs);
    const ends = places.map(({ process: child }) => child === null || once(child, 'exit'));
    return Promise.all(ends).finally(() => clearTimeout(deadline));
  }

  return {
    members: places,
    async start() {
      running = true;
      // The workers share one socket: no process hands connections on, and one that hangs takes none.
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      const entry = new URL(`./entry${extname(import.meta.filename)}`, import.meta.url);
      cluster.setupPrimary({ exec: fileURLToPath(entry), args: [], serialization: 'advanced' });
      process.once('exit', killAll);
      for (const place of places) fork(place);
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

function createPlace(number: number, onStuck: (place: Place) => void): Place {
  return {
    number,
    pid: null,
    state: 'gone',
    since: 0,
    restarts: 0,
    process: null,
    unsent: 0,
    takenAt: 0,
    backoff: createBackoff({
      servers: 1,
      random: Math.random,
      capMs: LONGEST_DELAY_MS,
      stableMs: STABLE_MS,
    }),
    send(message) {
      const { process } = this;
      if (!process?.isConnected()) return;
      const now = performance.now();
      if (this.unsent === 0) this.takenAt = now;
      else if (now - this.takenAt > STUCK_MS) {
        onStuck(this);
        return;
      }
      this.unsent++;
      process.send(message, () => {
        if (this.process !== process) return;
        this.unsent--;
        this.takenAt = performance.now();
      });
    },
  };
}

function systemError({ message, ...details }: ListenFailure): Error {
  return Object.assign(new Error(message), details);
}
