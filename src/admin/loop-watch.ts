import { contain } from '../faults/internal-errors.ts';

export interface LoopClocks {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** CPU time that the process has used since its start, in milliseconds. */
  readonly cpu: () => number;
}

/** How often the loop is looked at. */
export const LOOK_MS = 250;
/** A loop that is stuck uses a core, or what it gets of one; a process that does not run uses nothing. */
const BUSY_SHARE = 0.1;

const CLOCKS: LoopClocks = { now: () => performance.now(), cpu: cpuTime };

/**
 * Tells an event loop that was stuck from a process that was not running: one that is frozen (SIGSTOP, a suspended
 * machine) is as late as the other, but was not at work meanwhile, and is well as soon as it runs again.
 */
export class LoopWatch {
  readonly #clocks: LoopClocks;
  #at: number;
  #cpu: number;

  constructor(clocks: LoopClocks = CLOCKS) {
    this.#clocks = clocks;
    this.#at = clocks.now();
    this.#cpu = clocks.cpu();
  }

  /** To be called every `LOOK_MS`: how long the loop has been stuck since it was to be, in milliseconds. */
  look(): number {
    const [now, cpu] = [this.#clocks.now(), this.#clocks.cpu()];
    const late = now - this.#at - LOOK_MS;
    const busy = cpu - this.#cpu;
    this.#at = now;
    this.#cpu = cpu;
    return late > 0 && busy >= late * BUSY_SHARE ? late : 0;
  }
}

/**
 * Calls with how long the loop of this process has been stuck each time that it has been; the function ends it.
 * `onError` gets what is thrown in this, which goes on.
 */
export function watchLoop(onStall: (ms: number) => void, onError: (error: unknown) => void): () => void {
  const watch = new LoopWatch();

  function look(): void {
    const stalled = watch.look();
    if (stalled > 0) onStall(stalled);
  }

  const timer = setInterval(() => contain(look, onError), LOOK_MS).unref();
  return () => clearInterval(timer);
}

function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
