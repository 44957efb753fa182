const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** What people and the system say about when to end. */
export interface Ending {
  /** Nothing new is to be begun. */
  readonly stop: AbortSignal;
  /** Everything is to end now. Comes with `stop`, unless `gently` was called before. */
  readonly abandon: AbortSignal;
  /** From now on the first signal is `stop` alone, and the next is `abandon`. */
  gently(): void;
  /** Listens no more. */
  release(): void;
}

/** A Ctrl-C comes from the terminal, and again from npm and from the script that started this program. */
const ONE_SIGNAL_MS = 1_000;

/** Listens to the signals that end a program, and to a terminal that is closed. `now` is in milliseconds. */
export function listenForEnding(now: () => number = () => performance.now()): Ending {
  const stop = new AbortController();
  const abandon = new AbortController();
  let gentle = false;
  let firstAt: number | null = null;
  const end = (): void => {
    const again = firstAt !== null && now() - firstAt > ONE_SIGNAL_MS;
    firstAt ??= now();
    stop.abort();
    // Also one that comes while everything is being ended: nothing must be left behind.
    if (!gentle || again) abandon.abort();
  };
  // A terminal that was closed takes no more words; what is left to do is to end everything.
  const closed = (): void => {
    stop.abort();
    abandon.abort();
  };
  for (const name of SIGNALS) process.on(name, end);
  process.stdout.on('error', closed);
  return {
    stop: stop.signal,
    abandon: abandon.signal,
    gently() {
      gentle = true;
    },
    release() {
      for (const name of SIGNALS) process.off(name, end);
    },
  };
}

/** Resolves when the signal comes. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    // A pending promise alone does not keep the process alive, the gateway's listeners do.
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
