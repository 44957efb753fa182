import type { UpstreamNode } from '../../cluster/node.ts';
import type { BodyStream } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  /** Without Host, Connection and framing, which the upstream client writes itself. */
  readonly headers: HeaderBlock;
  readonly body: Buffer | BodyStream | null;
  /** Declared length of a streamed body; null sends it chunked. */
  readonly bodyLength: number | null;
  /**
   * Use a connection that nothing was sent on before, so that an idle connection which the server is just closing
   * cannot leave the fate of the request unknown.
   */
  readonly fresh: boolean;
  /** It takes no room that others wait for: it is not counted among what the node has `outstanding`. */
  readonly uncounted?: true;
  /** How long the answer's head may take, where that is not as usual; 0 is for ever. */
  readonly responseTimeoutMs?: number;
  /**
   * How long every further part of it may take, where that is not as usual; 0 is for ever. Without it, as long as
   * usual, or as `responseTimeoutMs` if that is longer.
   */
  readonly idleTimeoutMs?: number;
}

/**
 * Why an attempt failed. `connect`: no connection, nothing was sent. `stale`: a connection that had served before
 * ended without a byte of an answer, most likely because the node was just closing it. `reset`: the connection ended
 * early. `no_answer`: no whole head within the response timeout. `stalled`: no body byte within the idle timeout.
 * `malformed`: not HTTP, or a head beyond the limit. `unsendable`: nothing was sent, since the target is not valid.
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
 * Callbacks of one attempt, in this order; after `onEnd`, `onFailure` or `abort` nothing follows. What one of them
 * throws, or the request's body, ends the attempt and comes back as `onInternalError`.
 */
export interface UpstreamHandler {
  /** The head of an interim answer (1xx) other than 100; any number of them, before the final one. */
  onInterim?(head: AnswerHead): void;
  /** The final head. */
  onHead(head: AnswerHead): void;
  /** The bytes are the handler's until it gives the lease back, which it must; the node is read on as leases come back. */
  onData(chunk: Buffer, lease: BufferLease): void;
  /** That was all that has come for now. */
  onRest(): void;
  onEnd(trailers: HeaderBlock): void;
  onFailure(failure: UpstreamFailure): void;
  /** Bytes of the request's body were handed to the connection. */
  onBodySent(bytes: number): void;
  /** Something of ours threw while it worked on this attempt, which is over. Comes last; told nowhere else. */
  onInternalError(error: unknown): void;
}

export interface UpstreamCall {
  /** Closes the connection; the handler hears nothing more. */
  abort(): void;
}

/** Sends requests to nodes, on connections that are its own concern. */
export interface NodeSender {
  /**
   * Sends the request; counts `node.outstanding` up, and down once when the attempt is over, unless it is not to be
   * counted. Before this returns the
   * handler hears nothing but what was sent of a body; if it throws, nothing is counted and the handler hears no more.
   */
  send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
}

export interface Upstreams extends NodeSender {
  /** Closes connections to origins that are not in `known`, each after its running requests. */
  retain(known: ReadonlyMap<string, UpstreamNode>): void;
  close(): Promise<void>;
}
