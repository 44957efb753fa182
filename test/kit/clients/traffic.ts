import { setTimeout as sleep } from 'node:timers/promises';

export interface TrafficOptions {
  readonly read: () => Promise<Response>;
  /** Each with a name of its own. */
  readonly write?: () => { readonly name: string; readonly sent: Promise<Response> };
  readonly readsPerSecond: number;
  readonly writesPerSecond?: number;
}

/** Requests at a fixed pace, whatever becomes of those before. */
export interface Traffic {
  readonly reads: number;
  /** Status and body, or the error, of every read that was not answered with 200. */
  readonly failedReads: readonly string[];
  /** In the order in which they were sent; status 0 for no answer. */
  readonly writes: readonly { readonly name: string; readonly status: number }[];
  /** Waits until so many more reads have succeeded; rejects when that takes two minutes. */
  succeeded(count: number): Promise<void>;
  /** Sends no more, and waits for all answers. */
  stop(): Promise<void>;
}

const PATIENCE_MS = 120_000;

export function startTraffic(options: TrafficOptions): Traffic {
  const { read, write, readsPerSecond, writesPerSecond = 0 } = options;
  const pending = new Set<Promise<void>>();
  const failedReads: string[] = [];
  const writes: { name: string; status: number }[] = [];
  let successes = 0;
  let reads = 0;

  function track(work: Promise<void>): void {
    pending.add(work);
    void work.then(() => pending.delete(work));
  }

  async function readOnce(): Promise<void> {
    reads++;
    try {
      const response = await read();
      const text = await response.text();
      if (response.status === 200) successes++;
      else failedReads.push(`${response.status} ${text.slice(0, 300)}`);
    } catch (error) {
      failedReads.push(String(error instanceof Error ? (error.cause ?? error) : error));
    }
  }

  async function writeOnce(): Promise<void> {
    if (write === undefined) return;
    const { name, sent } = write();
    const entry = { name, status: 0 };
    writes.push(entry);
    try {
      const response = await sent;
      await response.text();
      entry.status = response.status;
    } catch {
      // Stays 0.
    }
  }

  const timers = [setInterval(() => track(readOnce()), 1_000 / readsPerSecond)];
  if (writesPerSecond > 0) timers.push(setInterval(() => track(writeOnce()), 1_000 / writesPerSecond));

  return {
    get reads() {
      return reads;
    },
    failedReads,
    writes,
    async succeeded(count) {
      const enough = successes + count;
      const deadline = performance.now() + PATIENCE_MS;
      while (successes < enough) {
        if (performance.now() > deadline) {
          throw new Error(`${enough - successes} reads are missing; the last to fail: ${failedReads.at(-1)}`);
        }
        await sleep(10);
      }
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(pending);
    },
  };
}
