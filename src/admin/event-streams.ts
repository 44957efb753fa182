/** The part of a `ServerResponse` that a stream of events needs. */
export interface EventSink {
  write(event: Buffer): unknown;
  /** Bytes that the reader has not taken yet. */
  readonly writableLength: number;
  end(): unknown;
  destroy(): unknown;
}

export interface EventStreamsOptions {
  /** Most streams at the same time. */
  readonly max: number;
  /** After this long without having taken an event whole, in ms, a reader is cut. */
  readonly maxBehindMs: number;
  /** Monotonic clock, in ms. */
  readonly now?: () => number;
}

/** How far a reader is. */
interface Reading {
  /** It has been sent no state yet. */
  isNew: boolean;
  /** When it was first found not to have taken an event whole; null if it has taken all. */
  behindSince: number | null;
}

/**
 * The open streams of server-sent events. A reader that is behind gets no further states, so no stream buffers more
 * than one of them: the next state says all that the skipped ones did.
 */
export class EventStreams {
  readonly #max: number;
  readonly #maxBehindMs: number;
  readonly #now: () => number;
  readonly #streams = new Map<EventSink, Reading>();

  constructor({ max, maxBehindMs, now = () => performance.now() }: EventStreamsOptions) {
    this.#max = max;
    this.#maxBehindMs = maxBehindMs;
    this.#now = now;
  }

  get size(): number {
    return this.#streams.size;
  }

  get full(): boolean {
    return this.#streams.size >= this.#max;
  }

  /** Adds a stream, with the first state if there is one. The caller must call `remove` when it has closed. */
  add(stream: EventSink, state: Buffer | null): void {
    this.#streams.set(stream, { isNew: state === null, behindSince: null });
    if (state !== null) stream.write(state);
  }

  remove(stream: EventSink): void {
    this.#streams.delete(stream);
  }

  /** Sends a state to all readers that are not behind, and cuts those that have been for too long. */
  sendState(event: Buffer): void {
    for (const [stream, reading] of this.#streams) {
      if (reading.isNew || stream.writableLength === 0) {
        reading.isNew = false;
        reading.behindSince = null;
        stream.write(event);
      } else if (reading.behindSince === null) {
        reading.behindSince = this.#now();
      } else if (this.#now() - reading.behindSince > this.#maxBehindMs) {
        stream.destroy();
      }
    }
  }

  /** Sends news that no later event repeats. A reader that is behind is cut: it reads all of them when it is back. */
  sendNews(event: Buffer): void {
    for (const [stream, { behindSince }] of this.#streams) {
      if (behindSince === null) stream.write(event);
      else stream.destroy();
    }
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of this.#streams.keys()) stream.end();
    this.#streams.clear();
  }
}

/** Formats a server-sent event. `data` is JSON, which has no line breaks. */
export function eventOf(name: string, data: object): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
