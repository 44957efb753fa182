import type { Readable } from 'node:stream';

/** What a door knows once a request's head has been read. */
export interface RequestHead {
  readonly method: string;
  /** The request target exactly as it stood on the request line. */
  readonly target: string;
  /** Flat list of names and values, with the client's case, order and duplicates. */
  readonly rawHeaders: readonly string[];
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly httpMinor: number;
  /** The peer's address; IPv4-mapped IPv6 addresses as plain IPv4. */
  readonly remoteAddress: string;
  /** The client's connection is TLS. */
  readonly encrypted: boolean;
  readonly id: string;
  /** Milliseconds on the clock that the exchange uses. */
  readonly receivedAt: number;
}

/** What the client's side tells the exchange. */
export interface ClientEvents {
  /** After `write` said false: the client takes more. */
  onDrain(): void;
  /** Nothing follows: `finished` when the answer was handed over whole, otherwise the client left. */
  onClose(finished: boolean): void;
}

/**
 * One request as its door offers it to the exchange. The exchange writes one answer and never sees sockets, so
 * that doors are interchangeable.
 */
export interface ClientSide {
  readonly head: RequestHead;
  /** The request's body. Paused; nothing is read, and no `100 Continue` is sent, before `invite`. */
  readonly body: Readable;
  /** The body is about to be read: sends `100 Continue` to a client that waits for it. */
  invite(): void;
  listen(events: ClientEvents): void;
  /** `hasDate`: the headers carry a `Date`, none is to be added. */
  writeHead(status: number, reason: string, headers: string[], hasDate: boolean): void;
  /** False: wait for `onDrain` before writing on. */
  write(chunk: Uint8Array): boolean;
  /** Ends the answer; what is left of the request's body is drained within bounds. */
  end(chunk?: Uint8Array | string, trailers?: readonly string[]): void;
  /** Cuts the connection so that the client cannot take what it got for a whole answer. */
  reset(): void;
}
