import { write, writeSync } from 'node:fs';
import type { BatchSink } from './line-batch.ts';

export interface LogWriter extends BatchSink {
  /** Never throws. Bytes that cannot be written are lost, and the loss is reported. The writer keeps them. */
  write(bytes: Buffer): void;
  /** Writes the waiting bytes before it returns, unless nobody reads it. */
  flushSync(): void;
  /** Resolves when everything is written, or will not be (after 2 s). */
  end(): Promise<void>;
}

/** Bytes that may wait for a reader that does not read. Beyond this, lines are lost rather than requests. */
const MOST_WAITING = 16 * 1024 * 1024;
const RETRY_MS = 50;
/** A write that takes longer than this, in ms, has no reader. */
const STUCK_MS = 1_000;
const END_MS = 2_000;
/** Errors that pass soon, such as a full pipe that does not block. */
const SOON: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EBUSY', 'EINTR']);

/**
 * Writes each piece to a file descriptor as a whole, in the background. Unlike with streams, a full disk, a closed
 * pipe or a pipe without a reader costs only the lines lost by it. `onError` is called when the loss begins.
 */
export function createLogWriter(fd: number, onError: (error: unknown) => void): LogWriter {
  const waiting: Buffer[] = [];
  let bytes = 0;
  let current: Buffer | null = null;
  let began = 0;
  let scheduled = false;
  let failing = false;
  let ended: (() => void) | null = null;

  function lose(error: unknown): void {
    // The report is logged too. Report once, or each loss would add a line that is also lost.
    if (failing) return;
    failing = true;
    onError(error);
  }

  /** Waits for the next turn: if the process exits in this one, `flushSync` writes everything in order. */
  function schedule(): void {
    if (scheduled || current !== null) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (current === null) next();
    });
  }

  function next(): void {
    current = waiting.shift() ?? null;
    if (current === null) ended?.();
    else {
      began = performance.now();
      send(current);
    }
  }

  function send(chunk: Buffer): void {
    write(fd, chunk, (error, written) => {
      if (error !== null && SOON.has(error.code)) {
        setTimeout(send, RETRY_MS, chunk);
        return;
      }
      if (error === null && written < chunk.length) {
        send(chunk.subarray(written));
        return;
      }
      bytes -= current?.length ?? 0;
      if (error !== null) lose(error);
      // Not after each write that frees a little room, or a slow reader would cause an error each time.
      else if (bytes < MOST_WAITING / 2) failing = false;
      next();
    });
  }

  function sendSync(chunk: Buffer, deadline: number): void {
    for (let rest = chunk; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest));
      } catch (error) {
        const soon = SOON.has((error as NodeJS.ErrnoException).code) && performance.now() < deadline;
        if (!soon) {
          lose(error);
          return;
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  return {
    write(chunk) {
      if (bytes + chunk.length > MOST_WAITING) {
        lose(new Error('the log is not taken as fast as it is written'));
        return;
      }
      bytes += chunk.length;
      waiting.push(chunk);
      schedule();
    },
    flushSync() {
      const stuck = current !== null && performance.now() - began > STUCK_MS;
      const deadline = performance.now() + STUCK_MS;
      for (const chunk of waiting.splice(0)) {
        bytes -= chunk.length;
        if (stuck) lose(new Error('the log is not taken as fast as it is written'));
        else sendSync(chunk, deadline);
      }
    },
    end() {
      if (current === null && waiting.length === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, END_MS);
        ended = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
