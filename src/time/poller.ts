import type { InternalErrors } from '../faults/internal-errors.ts';
import { forTimer } from './timer.ts';

/** Polls again and again, one call at a time. */
export interface Poller {
  /** Polls now, or once more after the current call, whose answer may be older than the reason for this one. */
  pollNow(): void;
  stop(): void;
}

export interface PollerOptions {
  /** Called for each poll. An error is reported and counts as an answer. */
  readonly ask: () => Promise<void>;
  /** Milliseconds until the next poll; read after each answer. */
  readonly interval: () => number;
  readonly random: () => number;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
}

/** Interval in ms used when `interval` throws or returns an invalid value. */
const FALLBACK_MS = 1_000;

/** Starts at once. Intervals vary by ten percent either way, so gateways and nodes do not fall into step. */
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
