import { monitorEventLoopDelay } from 'node:perf_hooks';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** Whether this process is overloaded. */
export interface Pressure {
  /** In both of the last two seconds, the event loop's median delay exceeded the limit. */
  readonly high: boolean;
  stop(): void;
}

const RESOLUTION_MS = 20;
const WINDOW_MS = 1_000;

/** Starts to measure the event loop. Pressure is never high if `maxDelayMs` is 0, or if the measurement fails. */
export function watchPressure(maxDelayMs: number, errors: InternalErrors): Pressure {
  if (maxDelayMs === 0) return { high: false, stop() {} };
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let high = false;
  let before = false;

  function look(): void {
    // The histogram measures the time between ticks of its own timer, so an idle loop shows the resolution. A process
    // that was frozen once is late once, which is no pressure.
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
