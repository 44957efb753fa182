import type { DestinationStream } from 'pino';

/** Where batches go; neither throws. */
export interface BatchSink {
  write(text: string): unknown;
  flushSync(): void;
}

export interface LineBatch extends DestinationStream {
  /** Hands on what there is. */
  flush(): void;
  /** The same, and returns when it has been written; pino asks for it before it lets the process end. */
  flushSync(): void;
}

export interface LineBatchOptions {
  /** So many bytes are handed on at once, at most; a longer line goes by itself. */
  readonly bytes: number;
  /** The first line of a batch waits at most so long, in milliseconds. */
  readonly delayMs: number;
}

/** A character takes three bytes of UTF-8 at most. */
const WIDEST = 3;

/**
 * Collects whole lines. Each is written into memory that is used again as soon as it is made: a text of many parts
 * that waits to be put together costs many times that, most of it in the garbage collector.
 */
export function createLineBatch(sink: BatchSink, { bytes, delayMs }: LineBatchOptions): LineBatch {
  const memory = Buffer.allocUnsafeSlow(bytes);
  let used = 0;
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (used === 0) return;
    const text = memory.toString('utf8', 0, used);
    used = 0;
    sink.write(text);
  }

  return {
    write(line) {
      const most = line.length * WIDEST;
      if (used + most > bytes) flush();
      if (most > bytes) {
        sink.write(line);
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
