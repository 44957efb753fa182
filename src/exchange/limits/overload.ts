import { monitorEventLoopDelay } from 'node:perf_hooks';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** Whether this process has more to do than it can. */
export interface Pressure {
  /** The event loop was late by more than the limit most of the time, in this second and the one before. */
  readonly high: boolean;
  stop(): void;
}

const RESOLUTION_MS = 20;
const WINDOW_MS = 1_000;

/** `maxDelayMs` 0 never calls it high; nor is it high where it cannot be measured. */
export function watchPressure(maxDelayMs: number, errors: InternalErrors): Pressure {
  if (maxDelayMs === 0) return { high: false, stop() {} };
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let high = false;
  let before = false;

  function look(): void {
    // The histogram measures from one tick of its own timer to the next, so that an idle loop shows its resolution.
    // A process that was frozen once is late once: that is no pressure.
    const late = histogram.percentile(50) / 1e6 - RESOLUTION_MS > maxDelayMs;
    high = late && before;
    before = late;
    histogram.reset();
  }

  const timer = setInterval(() => {
    contain(look, (error) => {
      high = false;
      before = false;
      errors.report('request', error);
    });
  }, WINDOW_MS);
  timer.unref();
  return {
    get high() {
      return high;
    },
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
