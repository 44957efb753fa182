import type { BodySink, BodySource, BodyStream } from '../../http/body.ts';

const NOTHING = Buffer.alloc(0);

/**
 * The body of one request, which several attempts can send. A body of known small size is collected first, which is
 * faster than streaming it. Any other body is streamed while its beginning is kept. `open` can start over as long as
 * at most `limit` bytes have been read.
 */
export class RequestBody {
  /** Declared length in bytes; 0 without a body, -1 if it is chunked. */
  readonly length: number;
  readonly #source: BodySource;
  readonly #limit: number;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #overflown = false;
  #listening = false;
  #ended = false;
  #whole: Buffer | null;
  #upload: Upload | null = null;
  #collected: (() => void) | null = null;

  constructor(source: BodySource, length: number, limit: number) {
    this.#source = source;
    this.length = length;
    this.#limit = limit;
    this.#whole = source.whole;
  }

  /** Whether the whole body is kept or can still be read, so that it can be sent from its beginning. */
  get replayable(): boolean {
    return !this.#overflown;
  }

  /** Most bytes that the body may keep in memory until it is sent. */
  get footprint(): number {
    if (this.length < 0) return this.#limit;
    return this.length <= this.#limit ? this.length : 0;
  }

  /** Whether the request can be sent. False until a small body has arrived completely; then call `collect` first. */
  get ready(): boolean {
    return this.length <= 0 || this.length > this.#limit || this.#ended || this.#whole !== null;
  }

  /** A small body that has arrived completely; empty for any other. */
  get content(): Buffer {
    if (this.#whole !== null) return this.#whole;
    if (this.length <= 0 || this.length > this.#limit || !this.#ended) return NOTHING;
    const [first] = this.#kept;
    this.#whole = this.#kept.length === 1 && first !== undefined ? first : Buffer.concat(this.#kept);
    return this.#whole;
  }

  /** Reads a small body. Calls `done` when it has arrived, and never if the client leaves before that. */
  collect(done: () => void): void {
    this.#collected = done;
    this.#listen();
    this.#source.resume();
  }

  /** The body for one attempt, from its beginning; null without a body. Stops the stream of an earlier attempt. */
  open(): Buffer | BodyStream | null {
    if (this.length === 0) return null;
    if (this.#whole !== null || (this.length > 0 && this.length <= this.#limit)) return this.content;
    this.#upload?.stop();
    const upload: Upload = new Upload(this.#kept, {
      ended: () => this.#ended,
      pull: () => this.#pull(upload),
      stopped: () => this.#release(upload),
    });
    this.#upload = upload;
    return upload;
  }

  #pull(upload: Upload): void {
    if (this.#upload !== upload || this.#ended) return;
    this.#listen();
    this.#source.resume();
  }

  #release(upload: Upload): void {
    if (this.#upload !== upload) return;
    this.#upload = null;
    if (!this.#ended) this.#source.pause();
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#source.deliver(
      (chunk) => this.#take(chunk),
      () => {
        this.#ended = true;
        this.#upload?.end();
        this.#collected?.();
        this.#collected = null;
      },
    );
  }

  #take(chunk: Buffer): void {
    this.#keptBytes += chunk.byteLength;
    if (this.#keptBytes <= this.#limit) this.#kept.push(chunk);
    else if (!this.#overflown) {
      this.#overflown = true;
      this.#kept.length = 0;
    }
    if (this.#upload !== null && !this.#upload.push(chunk)) this.#source.pause();
  }
}

interface Supply {
  readonly ended: () => boolean;
  readonly pull: () => void;
  readonly stopped: () => void;
}

/** The stream of one attempt: first the bytes kept, then the bytes that still arrive. */
class Upload implements BodyStream {
  readonly #kept: readonly Buffer[];
  readonly #supply: Supply;
  #sink: BodySink | null = null;

  constructor(kept: readonly Buffer[], supply: Supply) {
    this.#kept = kept;
    this.#supply = supply;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    let more = true;
    for (const chunk of this.#kept) more = sink.write(chunk);
    if (this.#supply.ended()) sink.end();
    else if (more) this.#supply.pull();
  }

  resume(): void {
    if (this.#sink !== null) this.#supply.pull();
  }

  stop(): void {
    this.#sink = null;
    this.#supply.stopped();
  }

  push(chunk: Buffer): boolean {
    return this.#sink?.write(chunk) ?? false;
  }

  end(): void {
    this.#sink?.end();
  }
}
