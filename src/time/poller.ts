import type { InternalErrors } from '../faults/internal-errors.ts';
import { forTimer } from './timer.ts';

/** Asks again and again, one question at a time. */
export interface Poller {
  /** Asks now, or right after the question under way: what that one answers may be older than what prompted this. */
  pollNow(): void;
  stop(): void;
}

export interface PollerOptions {
  /** What it throws is told, and counts as an answer. */
  readonly ask: () => Promise<void>;
  /** Milliseconds until the next question; read after each answer. */
  readonly interval: () => number;
  readonly random: () => number;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
}

/** After an interval that cannot be had. */
const FALLBACK_MS = 1_000;

/** Starts at once. Intervals vary by a tenth either way, so that gateways and nodes do not fall into step. */
export function createPoller({ ask, interval, random, errors }: PollerOptions): Poller {
  let timer: NodeJS.Timeout | null = null;
  let asking = false;
  let pollAgain = false;
  let stopped = false;

  async function run(): Promise<void> {
    timer = null;
    asking = true;
    pollAgain = false;
    try {
      await ask();
    } catch (error) {
      errors.report('probe', error);
    }
    asking = false;
    if (!stopped) timer = setTimeout(start, pollAgain ? 0 : delay());
  }

  function start(): void {
    void run();
  }

  function delay(): number {
    try {
      const milliseconds = interval() * (0.9 + random() * 0.2);
      if (milliseconds >= 0) return forTimer(milliseconds);
      errors.report('probe', new RangeError(`an interval of ${milliseconds} ms`));
    } catch (error) {
      errors.report('probe', error);
    }
    return FALLBACK_MS;
  }

  start();
  return {
    pollNow() {
      if (stopped) return;
      if (asking) {
        pollAgain = true;
        return;
      }
      if (timer !== null) clearTimeout(timer);
      start();
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
