/** The part of a `ServerResponse` that a stream of events needs. */
export interface EventSink {
  /** Calls back when the reader's connection has taken the event, or has failed. */
  write(event: Buffer, taken: () => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

export interface EventStreamsOptions {
  /** Most streams at the same time. */
  readonly max: number;
  /** After this long without having taken a state, in ms, a reader is cut. */
  readonly maxBehindMs: number;
  /** Monotonic clock, in ms. */
  readonly now?: () => number;
}

/** How far a reader is. */
interface Reading {
  /** When the state was written that it has not taken yet; null if it has taken all. */
  behindSince: number | null;
  /** The latest state of those that it has not been sent. */
  next: Buffer | null;
  /** News written since the state that it has not taken yet. */
  news: number;
}

/** Most news that wait for one reader. */
const MOST_NEWS = 100;

/**
 * The open streams of server-sent events. A reader that is behind gets the latest state once it has taken the one
 * before, and none of those between: the latest says all that they did. So no stream keeps more than one state.
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
    const reading: Reading = { behindSince: null, next: null, news: 0 };
    this.#streams.set(stream, reading);
    if (state !== null) this.#write(stream, reading, state);
  }

  remove(stream: EventSink): void {
    this.#streams.delete(stream);
  }

  /** Sends a state to all readers, and cuts those that have been behind for too long. */
  sendState(event: Buffer): void {
    for (const [stream, reading] of this.#streams) {
      if (reading.behindSince === null) this.#write(stream, reading, event);
      else if (this.#now() - reading.behindSince > this.#maxBehindMs) stream.destroy();
      else reading.next = event;
    }
  }

  /** Sends news, which no later event repeats. A reader that misses some is cut: it reads all when it is back. */
  sendNews(event: Buffer): void {
    for (const [stream, reading] of this.#streams) {
      if (reading.behindSince !== null && ++reading.news > MOST_NEWS) stream.destroy();
      else stream.write(event, () => {});
    }
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of this.#streams.keys()) stream.end();
    this.#streams.clear();
  }

  #write(stream: EventSink, reading: Reading, state: Buffer): void {
    reading.behindSince = this.#now();
    stream.write(state, () => {
      const { next } = reading;
      reading.behindSince = null;
      reading.next = null;
      reading.news = 0;
      if (next !== null && this.#streams.has(stream)) this.#write(stream, reading, next);
    });
  }
}

/** Formats a server-sent event. `data` is JSON, which has no line breaks. */
export function eventOf(name: string, data: object): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
