import type { Readable } from 'node:stream';
import type { UpstreamNode } from '../cluster/node.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  /** Flat; without Host, Connection and framing, which the upstream client writes itself. */
  readonly headers: readonly string[];
  readonly body: Buffer | Readable | null;
  /** Declared length of a streamed body; null sends it chunked. */
  readonly bodyLength: number | null;
  /**
   * Use a connection that nothing was sent on before, so that an idle connection which the server is just closing
   * cannot leave the fate of the request unknown.
   */
  readonly fresh: boolean;
  /** How long the answer's head may take, where that is not as usual; 0 is for ever. */
  readonly patienceMs?: number;
  /**
   * How long every further part of it may take, where that is not as usual; 0 is for ever. Without it, as long as
   * usual, or as `patienceMs` if that is longer.
   */
  readonly idlePatienceMs?: number;
}

/**
 * Why an attempt failed. `connect`: no connection, nothing was sent. `reset`: the connection ended early.
 * `no_answer`: no head within the response timeout. `stalled`: no body byte within the idle timeout.
 * `malformed`: not HTTP, or a head beyond the limit. `refused`: the request cannot be put on the wire.
 */
export type UpstreamFailureKind = 'connect' | 'reset' | 'no_answer' | 'stalled' | 'malformed' | 'refused';

export interface UpstreamFailure {
  readonly kind: UpstreamFailureKind;
  /** At least one byte of an answer had arrived. */
  readonly answered: boolean;
}

/** Callbacks of one attempt, in this order; after `onEnd`, `onFailure` or `abort` nothing follows. */
export interface UpstreamHandler {
  /** The final head; interim ones (1xx) are not shown. `rawHeaders` is flat. */
  onHead(status: number, reason: string, rawHeaders: string[]): void;
  /** False pauses the upstream until `resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(trailers: string[]): void;
  onFailure(failure: UpstreamFailure): void;
  /** Bytes of the request's body were handed to the connection. */
  onBodySent(bytes: number): void;
}

export interface UpstreamCall {
  resume(): void;
  /** Closes the connection; the handler hears nothing more. */
  abort(): void;
}

export interface Upstreams {
  /** Sends the request; counts `node.outstanding` up, and down once when the attempt is over. */
  send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  /** Closes connections to origins that are not in `known`, each after its running requests. */
  retain(known: ReadonlyMap<string, UpstreamNode>): void;
  close(): Promise<void>;
}
