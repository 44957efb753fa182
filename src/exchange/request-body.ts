import { Readable } from 'node:stream';

const NOTHING = Buffer.alloc(0);

/**
 * The body of one request, so that more than one attempt can send it. A body of known small size is collected
 * first: that is faster than streaming it. Any other is streamed while its beginning is kept: as long as no more
 * than `limit` bytes have been read, `open` can start over.
 */
export class RequestBody {
  /** Declared length, 0 without a body, -1 when it is chunked. */
  readonly length: number;
  readonly #source: Readable;
  readonly #limit: number;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #overflown = false;
  #listening = false;
  #ended = false;
  #whole: Buffer | null = null;
  #upload: Upload | null = null;
  #collected: (() => void) | null = null;

  constructor(source: Readable, length: number, limit: number) {
    this.#source = source;
    this.length = length;
    this.#limit = limit;
  }

  /** Everything that can be sent again is here, or can still be read. */
  get replayable(): boolean {
    return !this.#overflown;
  }

  /** Bytes that it may keep in memory until it is sent. */
  get footprint(): number {
    if (this.length < 0) return this.#limit;
    return this.length <= this.#limit ? this.length : 0;
  }

  /** False while a small body has not come in whole: then `collect` first. */
  get ready(): boolean {
    return this.length <= 0 || this.length > this.#limit || this.#ended;
  }

  /** A small body that has come in whole; empty for every other. */
  get content(): Buffer {
    if (this.length <= 0 || this.length > this.#limit || !this.#ended) return NOTHING;
    const [first] = this.#kept;
    this.#whole ??= this.#kept.length === 1 && first !== undefined ? first : Buffer.concat(this.#kept);
    return this.#whole;
  }

  /** Reads a small body; `done` is called when it is here, never if the client leaves before that. */
  collect(done: () => void): void {
    this.#collected = done;
    this.#listen();
    this.#source.resume();
  }

  /** The body for one attempt, from its beginning; what an earlier attempt was reading ends. */
  open(): Buffer | Readable | null {
    if (this.length === 0) return null;
    if (this.length > 0 && this.length <= this.#limit) return this.content;
    this.#upload?.destroy();
    const upload = new Upload(
      () => this.#pull(upload),
      () => this.#release(upload),
    );
    this.#upload = upload;
    for (const chunk of this.#kept) upload.push(chunk);
    if (this.#ended) upload.push(null);
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
    this.#source.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#source.on('end', () => {
      this.#ended = true;
      this.#upload?.push(null);
      this.#collected?.();
      this.#collected = null;
    });
  }

  #take(chunk: Buffer): void {
    this.#keptBytes += chunk.byteLength;
    if (this.#keptBytes <= this.#limit) this.#kept.push(chunk);
    else {
      this.#overflown = true;
      this.#kept.length = 0;
    }
    if (this.#upload !== null && !this.#upload.push(chunk)) this.#source.pause();
  }
}

/** What one attempt reads. Destroying it leaves the client's connection alone, so that it can still be answered. */
class Upload extends Readable {
  readonly #pull: () => void;
  readonly #release: () => void;

  constructor(pull: () => void, release: () => void) {
    super({ highWaterMark: 128 * 1024 });
    this.#pull = pull;
    this.#release = release;
  }

  override _read(): void {
    this.#pull();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#release();
    done(error);
  }
}
