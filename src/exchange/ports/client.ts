import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { RequestFields } from '../../http/request-fields.ts';

/** What a door knows once a request's head has been read. */
export interface RequestHead {
  readonly method: string;
  /** The request target exactly as it stood on the request line. */
  readonly target: string;
  /** The headers as the client sent them. */
  readonly block: HeaderBlock;
  readonly fields: RequestFields;
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
  /** Nothing follows: `finished` when the answer was handed over whole, otherwise the client left. */
  onClose(finished: boolean): void;
  /** Something of ours threw while it worked on this request; told nowhere else. `onClose` is still to come. */
  onInternalError(error: unknown): void;
}

/**
 * One request as its door offers it to the exchange. The exchange writes one answer and never sees sockets, so
 * that doors are interchangeable.
 */
export interface ClientSide {
  readonly head: RequestHead;
  /** The request's body. Nothing is read, and no `100 Continue` is sent, before `invite`. */
  readonly body: BodySource;
  /** The body is about to be read: sends `100 Continue` to a client that waits for it. */
  invite(): void;
  listen(events: ClientEvents): void;
  /**
   * `hasDate`: the headers carry a `Date`, none is to be added. `chunked`: they say so, and what is written is to be
   * framed like that. An empty reason is the usual one.
   */
  writeHead(status: number, reason: string, headers: HeaderBlock, hasDate: boolean, chunked?: boolean): void;
  /** An interim answer (1xx) before the head; nothing where that has been handed over. */
  writeInterim(status: number, headers: HeaderBlock): void;
  /** Gives the lease back when the client's connection has taken the bytes, or is over. */
  write(chunk: Buffer, lease: BufferLease): void;
  /** Nothing more is written in this turn: what has been goes out now. */
  flush(): void;
  /** Ends the answer; what is left of the request's body is drained within bounds. */
  end(chunk?: Buffer, trailers?: HeaderBlock): void;
  /** A head has been handed over. */
  readonly begun: boolean;
  /** Nothing follows: `onClose` has been called, or is just being called. */
  readonly over: boolean;
  /** Cuts the connection so that the client cannot take what it got for a whole answer. */
  reset(): void;
}
