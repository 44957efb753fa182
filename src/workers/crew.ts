import cluster, { type Worker as Process } from 'node:cluster';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { WorkerExit, WorkerStatus } from '../admin/status.ts';
import { type Backoff, createBackoff } from '../discovery/zookeeper/backoff.ts';
import { EXIT_INTERNAL_ERROR } from '../process-errors.ts';
import type { FromWorker, ListenFailure, ToWorker } from './messages.ts';

/** One worker process. Another one takes its place when it ends, or is about to. */
export interface Member {
  /** From 1; that of its place. */
  readonly number: number;
  /** Null when it has ended. */
  readonly pid: number | null;
  readonly state: WorkerStatus['state'];
  /** On the monotonic clock, in milliseconds. */
  readonly since: number;
  /** How often the one in this place was replaced. */
  readonly restarts: number;
  /** How the one before it ended. */
  readonly lastExit: WorkerExit | null;
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
  /** Those that serve, or are to; one that is about to end is not among them when another has its place. */
  readonly members: readonly Member[];
  /** How often a worker ended, by why. */
  readonly exits: Readonly<Record<WorkerExit['reason'], number>>;
  /** Resolves when all of them listen; rejects, with all of them ended, when one cannot. */
  start(): Promise<AddressInfo>;
  /** Has them drain; those that are still there after so many milliseconds are killed. */
  stop(deadlineMs: number): Promise<void>;
}

interface Place {
  readonly number: number;
  readonly backoff: Backoff;
  member: WorkerProcess;
  restarts: number;
  lastExit: WorkerExit | null;
}

/** A worker that lived for so long had a good start: the next one comes without delay. */
const STABLE_MS = 10_000;
const LONGEST_DELAY_MS = 10_000;
/** As long as nobody serves at all. */
const LONGEST_DELAY_ALONE_MS = 500;
/** A channel that is full and takes nothing for so long is that of a worker that hangs. */
const STUCK_MS = 10_000;
/** So is a worker that serves and says nothing for so long, which it does every second. */
const SILENT_MS = 15_000;
const LOOK_MS = 1_000;
/** One that has met an error of its own gives itself a second. */
const BROKEN_MS = 2_000;

export function createCrew({ size, logger, onReady, onMessage, onEnd }: CrewOptions): Crew {
  const places = Array.from({ length: size }, (_, i) => createPlace(i + 1, stuck));
  /** All that live, those whose place another has included. */
  const alive = new Set<WorkerProcess>();
  const exits: Record<WorkerExit['reason'], number> = {
    broken: 0,
    killed: 0,
    stuck: 0,
    stopped: 0,
    error: 0,
  };
  const timers = new Set<NodeJS.Timeout>();
  const started = Promise.withResolvers<AddressInfo>();
  let lookedAt = 0;
  let looking: NodeJS.Timeout | null = null;
  let running = false;
  let stopping = false;

  // Whatever ends this process ends the workers: at once where it is not a shutdown that waits for them.
  const killAll = (): void => {
    for (const member of alive) member.kill();
  };

  /** What it is told would pile up here. */
  function stuck(member: WorkerProcess): void {
    logger.error({ worker: member.number, pid: member.pid }, 'a worker takes no messages and is killed');
    member.stuck = true;
    member.kill();
  }

  /** A worker in an endless loop serves nobody, though its channel may have room for long. */
  function look(): void {
    const now = performance.now();
    const late = now - lookedAt > 2 * LOOK_MS;
    lookedAt = now;
    // This process stood still itself, and has not heard yet what they said.
    if (late) return;
    for (const { member } of places) {
      if (member.state === 'serving' && now - member.heardAt > SILENT_MS) stuck(member);
    }
  }

  function fork(place: Place): void {
    const child = cluster.fork();
    const member = new WorkerProcess(place, child, stuck);
    place.member = member;
    alive.add(member);
    child.on('message', (message: FromWorker) => take(place, member, message));
    // A channel that breaks is followed by the end of the process.
    child.on('error', () => {});
    child.once('exit', (code, signal) => ended(place, member, code, signal));
  }

  function take(place: Place, member: WorkerProcess, message: FromWorker): void {
    member.heardAt = performance.now();
    if (message.kind === 'ready') {
      onReady(member);
    } else if (message.kind === 'listening') {
      member.state = 'serving';
      if (places.every(({ member: each }) => each.state === 'serving')) started.resolve(message.address);
    } else if (message.kind === 'failed') {
      logger.error({ worker: member.number, why: message.failure.message }, 'a worker cannot listen');
      started.reject(systemError(message.failure));
    } else if (message.kind === 'draining') {
      member.state = 'draining';
    } else if (message.kind === 'broken') {
      broken(place, member);
    }
    onMessage(member, message);
  }

  /** Another one is started at once: what this one has under way may be held open by whoever broke it. */
  function broken(place: Place, member: WorkerProcess): void {
    member.state = 'draining';
    member.broken = true;
    after(BROKEN_MS, () => member.kill());
    if (place.member === member) replace(place, member, 'a worker broke; another takes its place', {});
  }

  function ended(place: Place, member: WorkerProcess, code: number | null, signal: string | null): void {
    const { pid } = member;
    const reason = reasonOf(member, code);
    alive.delete(member);
    member.ended();
    exits[reason]++;
    place.lastExit = { reason, code, signal, at: new Date().toISOString() };
    onEnd(member);
    started.reject(new Error(`worker ${member.number} ended while it started`));
    if (place.member !== member) return;
    replace(place, member, 'a worker ended; another takes its place', { pid, code, signal, reason });
  }

  function replace(place: Place, member: WorkerProcess, why: string, fields: object): void {
    if (!running || stopping) return;
    place.backoff.ended(performance.now() - member.since);
    const alone = places.every(({ member: each }) => each.state !== 'serving');
    const delay = Math.min(place.backoff.delay(), alone ? LONGEST_DELAY_ALONE_MS : LONGEST_DELAY_MS);
    const level = 'code' in fields && fields.code === 0 ? 'info' : 'error';
    logger[level]({ worker: place.number, pid: member.pid, ...fields, delay }, why);
    after(delay, () => {
      // One that broke may have ended meanwhile, and have been replaced for that.
      if (place.member !== member || stopping) return;
      place.restarts++;
      fork(place);
    });
  }

  function after(delay: number, step: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      step();
    }, delay);
    timers.add(timer);
  }

  function end(deadlineMs: number): Promise<unknown> {
    stopping = true;
    if (looking !== null) clearInterval(looking);
    for (const timer of timers) clearTimeout(timer);
    for (const { member } of places) member.send({ kind: 'stop' });
    const deadline = setTimeout(killAll, deadlineMs);
    return Promise.all([...alive].map((member) => member.exited)).finally(() => clearTimeout(deadline));
  }

  return {
    get members() {
      return places.map(({ member }) => member);
    },
    exits,
    async start() {
      running = true;
      // The workers share one socket: no process hands connections on, and one that hangs takes none.
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      const entry = new URL(`./entry${extname(import.meta.filename)}`, import.meta.url);
      cluster.setupPrimary({ exec: fileURLToPath(entry), args: [], serialization: 'advanced' });
      process.once('exit', killAll);
      for (const place of places) fork(place);
      lookedAt = performance.now();
      looking = setInterval(look, LOOK_MS);
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

/** Why it ended, by what was known of it before and its exit code, null where a signal ended it. */
function reasonOf(member: WorkerProcess, code: number | null): WorkerExit['reason'] {
  if (member.broken || code === EXIT_INTERNAL_ERROR) return 'broken';
  if (member.stuck) return 'stuck';
  // 0 is one that was asked to end and has drained.
  if (code === 0) return 'stopped';
  return code === null ? 'killed' : 'error';
}

class WorkerProcess implements Member {
  readonly number: number;
  readonly since = performance.now();
  readonly exited: Promise<unknown>;
  readonly #place: Omit<Place, 'member'>;
  readonly #onStuck: (member: WorkerProcess) => void;
  #process: Process | null;
  /** Messages that its channel has not taken yet, and when it last took one. */
  #unsent = 0;
  #takenAt = 0;
  state: WorkerStatus['state'];
  /** When it last said anything. */
  heardAt = performance.now();
  /** It has said that it met an error of its own. */
  broken = false;
  /** It was killed because it hung. */
  stuck = false;

  /** `process` null is a place where nobody is yet. */
  constructor(
    place: Omit<Place, 'member'>,
    process: Process | null,
    onStuck: (member: WorkerProcess) => void,
  ) {
    this.#place = place;
    this.number = place.number;
    this.#process = process;
    this.#onStuck = onStuck;
    this.state = process === null ? 'gone' : 'starting';
    this.exited =
      process === null ? Promise.resolve() : new Promise((resolve) => process.once('exit', resolve));
  }

  get restarts(): number {
    return this.#place.restarts;
  }

  get lastExit(): WorkerExit | null {
    return this.#place.lastExit;
  }

  get pid(): number | null {
    return this.#process?.process.pid ?? null;
  }

  ended(): void {
    this.#process = null;
    this.state = 'gone';
  }

  kill(): void {
    this.#process?.process.kill('SIGKILL');
  }

  send(message: ToWorker): void {
    const process = this.#process;
    if (!process?.isConnected()) return;
    const now = performance.now();
    if (this.#unsent === 0) this.#takenAt = now;
    else if (now - this.#takenAt > STUCK_MS) {
      this.#onStuck(this);
      return;
    }
    this.#unsent++;
    process.send(message, () => {
      this.#unsent--;
      this.#takenAt = performance.now();
    });
  }
}

function createPlace(number: number, onStuck: (member: WorkerProcess) => void): Place {
  const place: Omit<Place, 'member'> = {
    number,
    backoff: createBackoff({
      servers: 1,
      random: Math.random,
      capMs: LONGEST_DELAY_MS,
      stableMs: STABLE_MS,
    }),
    restarts: 0,
    lastExit: null,
  };
  return Object.assign(place, { member: new WorkerProcess(place, null, onStuck) });
}

function systemError({ message, ...details }: ListenFailure): Error {
  return Object.assign(new Error(message), details);
}
