import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { RequestFields } from '../../http/request-fields.ts';
import type { ClientOrigin, ForwardingPolicy } from './client-origin.ts';

/**
 * What the exchange has made of a head that its connection repeats, so that it need not be made again. It belongs to
 * heads of the same text on one connection.
 */
export interface RepeatedHead {
  /** What `origin` was judged by; null if nothing has been made yet. */
  policy: ForwardingPolicy | null;
  origin: ClientOrigin | null;
  /** The headers to send upstream, up to the request's id. */
  sent: HeaderBlock | null;
}

/** What a door knows once it has read a request's head. */
export interface RequestHead {
  readonly method: string;
  /** The request target exactly as it stood on the request line. */
  readonly target: string;
  /** The headers as the client sent them. */
  readonly block: HeaderBlock;
  readonly fields: RequestFields;
  /** Null, or absent, unless the connection repeats its head. */
  readonly repeated?: RepeatedHead | null;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly httpMinor: number;
  /** The peer's address; an IPv4-mapped IPv6 address as plain IPv4. */
  readonly remoteAddress: string;
  /** Whether the client's connection uses TLS. */
  readonly encrypted: boolean;
  /** The name in the certificate that the client has shown; null without one. Text from outside. */
  readonly certificateName: string | null;
  readonly id: string;
  /** Milliseconds on the clock that the exchange uses. */
  readonly receivedAt: number;
}

/** Events of the client's side. */
export interface ClientEvents {
  /** The last event. `finished`: the answer was handed over completely; otherwise the client left. */
  onClose(finished: boolean): void;
  /**
   * Our own code threw while it worked on this request; the error is reported nowhere else. `onClose` still follows.
   */
  onInternalError(error: unknown): void;
}

/**
 * One request as its door presents it to the exchange. The exchange writes one answer and never sees sockets, so
 * doors are interchangeable.
 */
export interface ClientSide {
  readonly head: RequestHead;
  /** The request's body. Before `invite` nothing is read and no `100 Continue` is sent. */
  readonly body: BodySource;
  /** Call before reading the body: sends `100 Continue` to a client that waits for it. */
  invite(): void;
  listen(events: ClientEvents): void;
  /**
   * `hasDate`: the headers have a `Date`, so none is added. `chunked`: the headers say so, and what is written must
   * be framed accordingly. An empty reason stands for the usual one.
   */
  writeHead(status: number, reason: string, headers: HeaderBlock, hasDate: boolean, chunked?: boolean): void;
  /** Sends an interim answer (1xx). Does nothing once the head has been handed over. */
  writeInterim(status: number, headers: HeaderBlock): void;
  /**
   * Writes body bytes. Releases the lease when the connection has taken them, or is over. `text`: the bytes as text with
   * one character for each octet, if it is there already.
   */
  write(chunk: Buffer, lease: BufferLease, text?: string | null): void;
  /** Sends what has been written; nothing more is written in this turn. */
  flush(): void;
  /** Ends the answer. The rest of the request's body is drained within bounds. */
  end(chunk?: Buffer, trailers?: HeaderBlock): void;
  /** Whether a head has been handed over. */
  readonly begun: boolean;
  /** Whether `onClose` has been called, or is being called now. */
  readonly over: boolean;
  /** Cuts the connection in a way that the client cannot mistake for the end of a complete answer. */
  reset(): void;
}
