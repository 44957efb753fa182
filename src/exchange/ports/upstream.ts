import type { UpstreamNode } from '../../cluster/node.ts';
import type { BodyStream, WholeBody } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  /** The headers without Host, Connection and framing, which the upstream client writes. */
  readonly headers: HeaderBlock;
  readonly body: WholeBody | BodyStream | null;
  /** Declared length of a streamed body in bytes; null sends it chunked. */
  readonly bodyLength: number | null;
  /**
   * Send on a connection that has carried no request yet. If the server closed an idle connection just now, it would
   * be unknown whether it processed the request.
   */
  readonly fresh: boolean;
  /** The request does not count towards the node's `outstanding`, so it takes no capacity from others. */
  readonly uncounted?: true;
  /** Milliseconds until the answer's head, in place of the usual limit; 0 is no limit. */
  readonly responseTimeoutMs?: number;
  /**
   * Milliseconds between parts of the answer's body, in place of the usual limit; 0 is no limit. If absent, the
   * longer of the usual limit and `responseTimeoutMs` holds.
   */
  readonly idleTimeoutMs?: number;
}

/**
 * Why an attempt failed.
 *
 * - `connect`: there was no connection; nothing was sent.
 * - `stale`: a reused connection ended without a byte of an answer, most likely because the node was just closing it.
 * - `reset`: the connection ended early.
 * - `no_answer`: no complete head came within the response timeout.
 * - `stalled`: no body byte came within the idle timeout.
 * - `malformed`: the answer was not HTTP, or its head exceeded the limit.
 * - `unsendable`: nothing was sent because the target is not valid.
 */
export type UpstreamFailureKind =
  | 'connect'
  | 'stale'
  | 'reset'
  | 'no_answer'
  | 'stalled'
  | 'malformed'
  | 'unsendable';

export interface UpstreamFailure {
  readonly kind: UpstreamFailureKind;
  /** At least one byte of an answer had arrived. */
  readonly answered: boolean;
}

/**
 * Callbacks of one attempt, in this order. After `onEnd`, `onFailure` or `abort` none follows. An error in one of
 * them, or in the request's body, ends the attempt and is passed to `onInternalError`.
 */
export interface UpstreamHandler {
  /** The head of an interim answer (1xx) other than 100. Any number of these may precede the final head. */
  onInterim?(head: AnswerHead): void;
  /** The final head. */
  onHead(head: AnswerHead): void;
  /**
   * The handler owns the bytes until it releases the lease, which it must do. Reading from the node continues as
   * leases are released. `text`: the bytes as text with one character for each octet, if it is there already.
   */
  onData(chunk: Buffer, lease: BufferLease, text?: string | null): void;
  /** No more data has arrived for now. */
  onRest(): void;
  onEnd(trailers: HeaderBlock): void;
  onFailure(failure: UpstreamFailure): void;
  /** This many bytes of the request's body were handed to the connection. */
  onBodySent(bytes: number): void;
  /**
   * Our own code threw while it worked on this attempt, which is over. This is the last call; the error is reported
   * nowhere else.
   */
  onInternalError(error: unknown): void;
}

export interface UpstreamCall {
  /** Closes the connection. The handler gets no further call. */
  abort(): void;
}

/** Sends requests to nodes and manages the connections to them. */
export interface NodeSender {
  /**
   * Sends the request. Increments `node.outstanding`, and decrements it once when the attempt is over, unless the
   * request is `uncounted`. Until this returns, `onBodySent` is the only call to the handler. If this throws, nothing
   * is counted and the handler gets no further call.
   */
  send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
}

export interface Upstreams extends NodeSender {
  /** Closes connections to origins that are not in `known`, each once its running requests have ended. */
  retain(known: ReadonlyMap<string, UpstreamNode>): void;
  close(): Promise<void>;
}
