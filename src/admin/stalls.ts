/** Tells how long this process's event loop was busy with one thing. */
export interface Stalls {
  /** The longest time since the last question, in milliseconds; 0 where nothing was late. */
  take(): number;
  stop(): void;
}

const TICK_MS = 500;
/** What is late by less is late for ordinary reasons. */
const LATE_MS = 500;
/** A loop that is busy takes most of a core; a process that was frozen, or got no core, takes next to nothing. */
const BUSY_SHARE = 0.5;

/** Watches by a timer, so that a stall is known as soon as it has ended. */
export function watchStalls(): Stalls {
  let longest = 0;
  let ticked = performance.now();
  let used = process.cpuUsage();

  function tick(): void {
    const now = performance.now();
    const { user, system } = process.cpuUsage(used);
    const late = now - ticked - TICK_MS;
    const busyMs = (user + system) / 1_000;
    if (late > LATE_MS && busyMs >= late * BUSY_SHARE) longest = Math.max(longest, late);
    ticked = now;
    used = process.cpuUsage();
  }

  const timer = setInterval(tick, TICK_MS);
  timer.unref();
  return {
    take() {
      const taken = longest;
      longest = 0;
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}
