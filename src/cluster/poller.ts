/** Asks again and again, one question at a time. */
export interface Poller {
  /** Asks now, or right after the question under way: what that one answers may be older than what prompted this. */
  hurry(): void;
  stop(): void;
}

export interface PollerOptions {
  /** Never rejects. */
  readonly ask: () => Promise<void>;
  /** Milliseconds until the next question; read after each answer. */
  readonly interval: () => number;
  readonly random: () => number;
}

/** Starts at once. Intervals vary by a tenth either way, so that gateways and nodes do not fall into step. */
export function createPoller({ ask, interval, random }: PollerOptions): Poller {
  let timer: NodeJS.Timeout | null = null;
  let asking = false;
  let hurried = false;
  let stopped = false;

  function run(): void {
    timer = null;
    asking = true;
    hurried = false;
    void ask().then(() => {
      asking = false;
      if (stopped) return;
      const delay = hurried ? 0 : interval() * (0.9 + random() * 0.2);
      timer = setTimeout(run, delay);
    });
  }

  run();
  return {
    hurry() {
      if (stopped) return;
      if (asking) {
        hurried = true;
        return;
      }
      if (timer !== null) clearTimeout(timer);
      run();
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
