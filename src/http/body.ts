/** A body that is here whole, as bytes and as text with one character for each octet; made when asked for. */
export class WholeBody {
  readonly length: number;
  /** Null if there is only the text. */
  readonly #buffer: Buffer | null;
  readonly #from: number;
  #bytes: Buffer | null = null;
  #text: string | null;

  private constructor(buffer: Buffer | null, from: number, to: number, text: string | null) {
    this.#buffer = buffer;
    this.#from = from;
    this.length = to - from;
    this.#text = text;
  }

  /** The octets of `buffer` between `from` and `to`. `text`: the same as text, if it is there already. */
  static ofBytes(buffer: Buffer, from = 0, to = buffer.length, text: string | null = null): WholeBody {
    return new WholeBody(buffer, from, to, text);
  }

  /** What has one octet for each character of `text`. */
  static ofText(text: string): WholeBody {
    return new WholeBody(null, 0, text.length, text);
  }

  get bytes(): Buffer {
    this.#bytes ??= this.#buffer?.subarray(this.#from, this.#from + this.length) ?? this.#encoded();
    return this.#bytes;
  }

  get text(): string {
    this.#text ??= this.#buffer?.toString('latin1', this.#from, this.#from + this.length) ?? '';
    return this.#text;
  }

  #encoded(): Buffer {
    return Buffer.from(this.#text ?? '', 'latin1');
  }
}

/** A request's body as its door reads it. */
export interface BodySource {
  /** The whole body, if it arrived with the head; the rest of this interface is then not used. */
  readonly whole: WholeBody | null;
  /** Sets the receivers of the chunks. Call it once; nothing arrives before `resume`. */
  deliver(onData: (chunk: Buffer) => void, onEnd: () => void): void;
  pause(): void;
  resume(): void;
}

/** Receives the chunks of a body that is sent to a node. */
export interface BodySink {
  /**
   * Returns false if nothing more may be written until `BodyStream.resume`. `spent`: nobody needs the chunk once it is
   * written, so its memory is to be freed then.
   */
  write(chunk: Buffer, spent?: boolean): boolean;
  end(): void;
}

/** A body that is sent while it arrives, for one attempt. */
export interface BodyStream {
  /** Sends the body from its beginning. Call it once. */
  start(sink: BodySink): void;
  resume(): void;
  /** Sends nothing more to the sink, and leaves the client's connection alone. */
  stop(): void;
}
