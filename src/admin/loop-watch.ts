import { contain } from '../faults/internal-errors.ts';

export interface LoopClocks {
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /** CPU time used by the process since its start, in ms. */
  readonly cpu: () => number;
}

/** Interval between looks, in ms. */
export const LOOK_MS = 250;
/** Share of a core that a stuck loop uses at least; a process that does not run uses none. */
const BUSY_SHARE = 0.1;

const CLOCKS: LoopClocks = { now: () => performance.now(), cpu: cpuTime };

/**
 * Tells an event loop that was stuck from a process that was not running. A frozen process (SIGSTOP, a suspended
 * machine) is as late as a stuck one, but used no CPU, and is well as soon as it runs again.
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

  /** Returns how long the loop was stuck since the last call, in ms. Call it every `LOOK_MS`. */
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
 * Calls `onStall` with the duration in ms each time the loop of this process was stuck. Returns a function that
 * stops this. `onError` gets errors thrown meanwhile; the watch continues.
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
