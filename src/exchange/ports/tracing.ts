import type { UpstreamNode } from '../../cluster/node.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { UnavailableReason } from '../../routing/target.ts';
import type { RequestHead } from './client.ts';
import type { ExchangeRecord, RecordTrace } from './record.ts';
import type { UpstreamFailureKind, UpstreamRequest } from './upstream.ts';

/** Has requests take part in distributed traces (W3C Trace Context). No method here or below throws. */
export interface RequestTracer {
  /** Called once for each request, when its route is known. Null leaves the client's trace context as it came. */
  begin(head: RequestHead): RequestTrace | null;
}

/** One request's part in a trace. */
export interface RequestTrace {
  readonly ids: RecordTrace;
  /** Null if the request is not recorded; its trace context still goes on. */
  readonly spans: RequestSpans | null;
  /** Returns the request's headers with its trace context. With spans each attempt adds its own instead. */
  sent(headers: HeaderBlock): HeaderBlock;
}

/** The spans of one request that is recorded. */
export interface RequestSpans {
  /** Begins the span of an attempt at a node. */
  attempt(node: UpstreamNode, request: UpstreamRequest): AttemptSpan;
  /** Begins the span of a wait in the queue. */
  wait(reason: UnavailableReason | null): WaitSpan;
  /** Ends the span of the request. Spans of cancels that go on may end later. Repeated calls do nothing. */
  end(record: ExchangeRecord): void;
}

/**
 * How an attempt ended: with the whole answer, by a failure, by the exchange, which wanted no more of it, or by an error
 * of the gateway's own.
 */
export type AttemptEnd = 'complete' | UpstreamFailureKind | 'aborted' | 'internal_error';

/** The span of one attempt. */
export interface AttemptSpan {
  /** The request's headers, which name this span as the node's parent. */
  readonly headers: HeaderBlock;
  /** The final head has come. */
  answered(status: number): void;
  /** Only the first call counts. */
  end(how: AttemptEnd): void;
}

/** The span of one wait. */
export interface WaitSpan {
  end(): void;
}
