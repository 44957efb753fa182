import { Crowd, type Member } from '../../collections/crowd.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** The limits themselves. */
export interface BodyBounds {
  /** Bytes that all bodies together may keep; 0 is no limit. */
  readonly maxBytes: number;
  /** How long a body may wait for memory, in milliseconds. */
  readonly maxWaitMs: number;
  /** How long a client may take for the next piece of its body, in milliseconds; 0 is no limit. */
  readonly idleTimeoutMs: number;
  /** Bytes of a second that a client must send while it is waited for; 0 is no limit. */
  readonly minRate: number;
}

export interface BodyLimitOptions extends BodyBounds {
  readonly errors: InternalErrors;
  readonly now: () => number;
}

/** A body that is waited for. */
export interface WatchedBody extends Member {
  /** It waits for memory. */
  readonly starves: boolean;
  /** Time has passed; `room`: it may read on if it waits for memory. */
  look(now: number, room: boolean): void;
  /** Something of its own threw; it is not looked at again. */
  onInternalError(error: unknown): void;
}

/** What the bodies of all requests share: the memory that they are kept in, and the clock that they are read by. */
export interface BodyLimits {
  readonly options: Pick<BodyLimitOptions, 'maxWaitMs' | 'idleTimeoutMs' | 'minRate' | 'now'>;
  /** Changes the limits. They hold from the next look on, also for bodies that are waited for. */
  setLimits(bounds: BodyBounds): void;
  /** Bytes that are kept now. */
  readonly used: number;
  /** No more may be read to be kept. */
  readonly full: boolean;
  /** Counts bytes that are here already. */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Call again when it no longer waits for memory. */
  watch(body: WatchedBody): void;
  unwatch(body: WatchedBody): void;
}

/** All bodies are looked at this often, in milliseconds, by one timer. */
const TICK_MS = 50;
/** A tick that is so late says nothing about clients. */
const LATE_MS = 1_000;
/** What one read may bring: of those who wait for memory so many are let go as have room for that. */
const ONE_READ = 64 * 1024;

export function createBodyLimits(initial: BodyLimitOptions): BodyLimits {
  const { errors, now } = initial;
  let options = initial;
  /** Those that wait for memory: who has waited longest is first. */
  const starving = new Set<WatchedBody>();
  const reading = new Crowd<WatchedBody>();
  let used = 0;
  let timer: NodeJS.Timeout | null = null;
  let last = 0;

  function look(body: WatchedBody, time: number, room: boolean): void {
    try {
      body.look(time, room);
    } catch (error) {
      forget(body);
      contain(
        () => body.onInternalError(error),
        (another) => errors.report('request', another),
      );
    }
  }

  function tick(): void {
    const time = now();
    const late = time - last > LATE_MS;
    last = time;
    // What came while the process stood still has not been read yet.
    if (late) return;
    const { maxBytes } = options;
    let left = maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes - used;
    for (const body of starving) {
      const room = left > 0;
      if (room) left -= ONE_READ;
      look(body, time, room);
    }
    for (const body of reading) look(body, time, false);
  }

  function forget(body: WatchedBody): void {
    reading.delete(body);
    if (starving.size > 0) starving.delete(body);
    if (reading.size > 0 || starving.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    get options() {
      return options;
    },
    setLimits(bounds) {
      options = { ...bounds, errors, now };
    },
    get used() {
      return used;
    },
    get full() {
      return options.maxBytes > 0 && used >= options.maxBytes;
    },
    hold(bytes) {
      used += bytes;
    },
    release(bytes) {
      used -= bytes;
    },
    watch(body) {
      if (body.starves) starving.add(body);
      else {
        if (starving.size > 0) starving.delete(body);
        reading.add(body);
      }
      if (timer === null) last = now();
      timer ??= setInterval(() => contain(tick, (error) => errors.report('request', error)), TICK_MS);
    },
    unwatch: forget,
  };
}
