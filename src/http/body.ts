/** A request's body as its door reads it. */
export interface BodySource {
  /** All of it, where it came along with the head; then nothing else of this is used. */
  readonly whole: Buffer | null;
  /** Where its pieces go; nothing comes before `resume`. Once. */
  deliver(onData: (chunk: Buffer) => void, onEnd: () => void): void;
  pause(): void;
  resume(): void;
}

/** Takes the pieces of a body that is sent to a node. */
export interface BodySink {
  /** False: no more until `BodyStream.resume`. */
  write(chunk: Buffer): boolean;
  end(): void;
}

/** A body that is sent while it comes, for one attempt. */
export interface BodyStream {
  /** From its beginning, once. */
  start(sink: BodySink): void;
  resume(): void;
  /** The sink hears nothing more, and the client's connection is left alone. */
  stop(): void;
}
