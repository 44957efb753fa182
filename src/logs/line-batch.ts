import type { DestinationStream } from 'pino';

/** Where batches are written; neither method throws. */
export interface BatchSink {
  write(bytes: Buffer): unknown;
  flushSync(): void;
}

export interface LineBatch extends DestinationStream {
  /** Hands on the buffered lines. */
  flush(): void;
  /** Hands on the buffered lines and returns when they are written. */
  flushSync(): void;
}

export interface LineBatchOptions {
  /** Largest batch in bytes; a line that may be longer is handed on by itself. */
  readonly bytes: number;
  /** Longest wait of the first line in a batch, in ms. */
  readonly delayMs: number;
}

/** Most UTF-8 bytes per UTF-16 code unit. */
const WIDEST = 3;

/**
 * Collects whole lines. Each is copied at once into memory that is reused: keeping the lines as one string of many
 * parts costs many times more, mostly in the garbage collector.
 */
export function createLineBatch(sink: BatchSink, { bytes, delayMs }: LineBatchOptions): LineBatch {
  const memory = Buffer.allocUnsafeSlow(bytes);
  let used = 0;
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (used === 0) return;
    const batch = Buffer.allocUnsafeSlow(used);
    memory.copy(batch, 0, 0, used);
    used = 0;
    sink.write(batch);
  }

  return {
    write(line) {
      const most = line.length * WIDEST;
      if (used + most > bytes) flush();
      if (most > bytes) {
        sink.write(Buffer.from(line));
        return;
      }
      used += memory.write(line, used);
      timer ??= setTimeout(flush, delayMs).unref();
    },
    flush,
    flushSync() {
      flush();
      sink.flushSync();
    },
  };
}
