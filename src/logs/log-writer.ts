import { write, writeSync } from 'node:fs';
import type { BatchSink } from './line-batch.ts';

export interface LogWriter extends BatchSink {
  /** Never throws; what cannot be written is lost, which is told. */
  write(text: string): void;
  /** Writes what waits, unless nobody takes it, before it returns. */
  flushSync(): void;
  /** Resolves when everything has been written, or will not be. */
  end(): Promise<void>;
}

/** What may wait for a reader that does not read; beyond it lines are lost, not requests. */
const MOST_WAITING = 16 * 1024 * 1024;
const RETRY_MS = 50;
/** A write that takes longer is one that nobody takes. */
const STUCK_MS = 1_000;
const END_MS = 2_000;
/** Not now, but soon: the pipe is full, and does not block. */
const SOON: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EBUSY', 'EINTR']);

/**
 * Writes texts to a file descriptor, each in one go, in the background. Unlike with streams, a full disk, a closed
 * pipe or one that nobody reads ends nothing but the lines that are lost by it: `onError` is told when that begins.
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
    // What is told is logged, too: once, or each loss would make a line that is lost.
    if (failing) return;
    failing = true;
    onError(error);
  }

  /** Not in this turn: where the process ends in it, all is written in order by `flushSync`. */
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
      // Not with each write that makes a little room: a slow reader would be an error each time.
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
    write(text) {
      const chunk = Buffer.from(text);
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
