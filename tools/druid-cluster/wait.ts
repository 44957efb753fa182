import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines, type ManagedProcess } from './managed-process.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Without this process it is of no use to wait on. */
  readonly process?: ManagedProcess;
  readonly signal?: AbortSignal;
}

/**
 * Asks again and again until the answer is yes. Rejects after the time limit, or at once when the process has ended,
 * with the end of its log.
 */
export async function waitFor(
  what: string,
  ask: () => Promise<boolean>,
  { timeoutMs, intervalMs = 250, process, signal }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await ask()) return;
    if (process !== undefined && !process.running) {
      throw new Error(`${process.name} ended while waiting for ${what}:\n${await lastLines(process)}`);
    }
    if (performance.now() > deadline) {
      const log = process === undefined ? '' : `; see ${process.logFile}`;
      throw new Error(`${what}: not within ${Math.round(timeoutMs / 1000)} s${log}`);
    }
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** Whether a GET is answered with 200 within two seconds. */
export async function answers200(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: 'manual' });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
