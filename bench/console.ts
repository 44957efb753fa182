const began = performance.now();

/** Writes a line for whoever waits for the figures, with the seconds since the start. */
export function say(line: string): void {
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stderr.write(`${String(seconds).padStart(5)} s  ${line}\n`);
}

/** A signal that is aborted by the first SIGINT or SIGTERM of the process; the second one ends it. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      say('ending everything that was started; once more to kill it');
      stop.abort(new Error(`ended by ${name}`));
    });
  }
  return stop.signal;
}
