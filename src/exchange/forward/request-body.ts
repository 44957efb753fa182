import { type BodySink, type BodySource, type BodyStream, WholeBody } from '../../http/body.ts';
import { countLargeRead } from '../../http/large-reads.ts';
import { PackedBytes } from '../../http/packed-bytes.ts';
import { hasOwnMemory } from '../../http/spent-chunk.ts';
import type { BodyLimits } from '../limits/body-limits.ts';
import { type BodyOwner, BodyReading } from './body-reading.ts';

const NOTHING = WholeBody.ofBytes(Buffer.alloc(0));

/** A body on its way in, and what of it is kept. */
interface Arrival {
  readonly reading: BodyReading;
  readonly kept: PackedBytes;
}

/**
 * The body of one request, so that more than one attempt can send it. Up to `limit` bytes are collected before a node
 * is taken; what is longer is streamed behind that. As long as no more than `limit` bytes have been read, `open` can
 * start over. What is kept counts for the memory that all bodies share, until `release`.
 */
export class RequestBody {
  /** Declared length, 0 without a body, -1 when it is chunked. */
  readonly length: number;
  readonly #source: BodySource;
  readonly #limit: number;
  readonly #limits: BodyLimits;
  #owner: BodyOwner | null = null;
  /** Set once it is read. Most bodies come whole with their head. */
  #arrival: Arrival | null = null;
  /** What of it counts for the memory of all bodies. */
  #held = 0;
  #overflown = false;
  #listening = false;
  #ended = false;
  /** More than can be collected, known by its declared length or by what has come. */
  #long: boolean;
  #released = false;
  #whole: WholeBody | null;
  #upload: Upload | null = null;
  #collected: (() => void) | null = null;

  constructor(source: BodySource, length: number, limit: number, limits: BodyLimits) {
    this.#source = source;
    this.length = length;
    this.#limit = limit;
    this.#limits = limits;
    this.#long = isLong(length, limit);
    this.#whole = source.whole;
    if (this.#whole !== null) this.#hold(this.#whole.length);
  }

  /** Who hears that it will not come to its end. */
  tell(owner: BodyOwner): void {
    this.#owner = owner;
  }

  /** Everything that can be sent again is here, or can still be read. */
  get replayable(): boolean {
    return !this.#overflown;
  }

  /** Bytes that it may keep in memory until it is sent. */
  get footprint(): number {
    if (this.#ended) return this.#held;
    if (this.length < 0) return this.#limit;
    return this.length <= this.#limit ? this.length : 0;
  }

  /** False while a body that can be collected has not come in whole: then `collect` first. */
  get ready(): boolean {
    return this.length === 0 || this.#long || this.#ended || this.#whole !== null;
  }

  /** A body that was collected whole; empty for every other. */
  get content(): WholeBody {
    if (this.#whole !== null) return this.#whole;
    if (this.length === 0 || this.#long || !this.#ended) return NOTHING;
    const { kept } = this.#arriving;
    this.#whole = WholeBody.ofBytes(kept.whole());
    kept.clear();
    this.#hold(this.#whole.length);
    return this.#whole;
  }

  /** Reads what can be collected; `done` is called when it is here, never if the client leaves before that. */
  collect(done: () => void): void {
    this.#collected = done;
    this.#listen();
    this.#arriving.reading.read(true);
  }

  /** The body for one attempt, from its beginning; what an earlier attempt was reading ends. */
  open(): WholeBody | BodyStream | null {
    if (this.length === 0) return null;
    if (this.length > 0 && (this.#whole !== null || !this.#long)) return this.content;
    this.#upload?.stop();
    const kept = this.#whole === null ? this.#arriving.kept.pieces() : [this.#whole.bytes];
    const upload: Upload = new Upload(kept, {
      ended: () => this.#ended,
      pull: () => this.#pull(upload),
      stopped: () => this.#release(upload),
    });
    this.#upload = upload;
    return upload;
  }

  /** The request is over: nothing of it is kept any more. */
  release(): void {
    this.#released = true;
    this.#arrival?.reading.end();
    this.#arrival?.kept.clear();
    this.#hold(0);
  }

  get #arriving(): Arrival {
    this.#arrival ??= {
      reading: new BodyReading(this.#source, this.#limits, this.#owner),
      kept: new PackedBytes(),
    };
    return this.#arrival;
  }

  #pull(upload: Upload): void {
    if (this.#upload !== upload || this.#ended) return;
    const { reading, kept } = this.#arriving;
    if (kept.length > this.#limit) this.#overflow();
    this.#listen();
    reading.read(false);
  }

  #release(upload: Upload): void {
    if (this.#upload !== upload) return;
    this.#upload = null;
    if (!this.#ended) this.#arriving.reading.stop();
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#source.deliver(
      (chunk) => this.#take(chunk),
      () => {
        this.#ended = true;
        this.#arriving.reading.end();
        this.#upload?.end();
        this.#tellCollected();
      },
    );
  }

  #take(chunk: Buffer): void {
    if (this.#released) return;
    const { reading } = this.#arriving;
    reading.came(chunk.length);
    if (!this.#overflown) this.#keep(chunk);
    const upload = this.#upload;
    const spent = upload !== null && this.#overflown && hasOwnMemory(chunk);
    if (!spent) countLargeRead(chunk.length);
    if (upload !== null) {
      if (!upload.push(chunk, spent)) reading.stop();
    } else if (this.#long) {
      reading.stop();
      this.#tellCollected();
    } else if (this.#limits.full) {
      reading.stop();
      reading.read(true);
    }
  }

  /** What a node has been sent of a long body is kept no longer than there is memory for it. */
  #keep(chunk: Buffer): void {
    const { kept } = this.#arriving;
    kept.push(chunk);
    this.#hold(kept.size);
    if (kept.length > this.#limit) this.#long = true;
    if (this.#upload !== null && (kept.length > this.#limit || this.#limits.full)) this.#overflow();
  }

  #overflow(): void {
    this.#overflown = true;
    this.#arriving.kept.clear();
    this.#hold(0);
  }

  #hold(bytes: number): void {
    this.#limits.hold(bytes - this.#held);
    this.#held = bytes;
  }

  #tellCollected(): void {
    const collected = this.#collected;
    this.#collected = null;
    collected?.();
  }
}

/** Whether a body of this declared length, -1 if unknown, is more than can be collected. */
export function isLong(length: number, limit: number): boolean {
  return length > limit || (length < 0 && limit === 0);
}

interface Supply {
  readonly ended: () => boolean;
  readonly pull: () => void;
  readonly stopped: () => void;
}

/** What one attempt reads: what has been kept, then what comes. */
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

  push(chunk: Buffer, spent: boolean): boolean {
    return this.#sink?.write(chunk, spent) ?? false;
  }

  end(): void {
    this.#sink?.end();
  }
}
