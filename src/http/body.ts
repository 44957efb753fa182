/** A request's body as its door reads it. */
export interface BodySource {
  /** The whole body, if it arrived with the head; the rest of this interface is then not used. */
  readonly whole: Buffer | null;
  /** Sets the receivers of the chunks. Call it once; nothing arrives before `resume`. */
  deliver(onData: (chunk: Buffer) => void, onEnd: () => void): void;
  pause(): void;
  resume(): void;
}

/** Receives the chunks of a body that is sent to a node. */
export interface BodySink {
  /** Returns false if nothing more may be written until `BodyStream.resume`. */
  write(chunk: Buffer): boolean;
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
