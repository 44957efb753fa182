import type { UpstreamNode } from '../cluster/node.ts';
import type { BufferLease } from '../http/buffer-lease.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { AnswerHead } from '../http/response-head.ts';
import type { AttemptSpan, RequestSpans } from './ports/tracing.ts';
import type {
  NodeSender,
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from './ports/upstream.ts';

/** A sender that has a span for each attempt, and names it to the node. */
export class TracedSender implements NodeSender {
  readonly #sender: NodeSender;
  readonly #spans: RequestSpans;

  constructor(sender: NodeSender, spans: RequestSpans) {
    this.#sender = sender;
    this.#spans = spans;
  }

  send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const span = this.#spans.attempt(node, request);
    const named = { ...request, headers: span.headers };
    try {
      return new TracedCall(this.#sender.send(node, named, new TracedHandler(handler, span)), span);
    } catch (error) {
      span.end('internal_error');
      throw error;
    }
  }
}

class TracedCall implements UpstreamCall {
  readonly #call: UpstreamCall;
  readonly #span: AttemptSpan;

  constructor(call: UpstreamCall, span: AttemptSpan) {
    this.#call = call;
    this.#span = span;
  }

  abort(): void {
    this.#span.end('aborted');
    this.#call.abort();
  }
}

/** Ends the span before the exchange hears of the end, which may begin the next attempt. */
class TracedHandler implements UpstreamHandler {
  readonly #handler: UpstreamHandler;
  readonly #span: AttemptSpan;

  constructor(handler: UpstreamHandler, span: AttemptSpan) {
    this.#handler = handler;
    this.#span = span;
  }

  onInterim(head: AnswerHead): void {
    this.#handler.onInterim?.(head);
  }

  onHead(head: AnswerHead): void {
    this.#span.answered(head.status);
    this.#handler.onHead(head);
  }

  onData(chunk: Buffer, lease: BufferLease, text?: string | null): void {
    this.#handler.onData(chunk, lease, text);
  }

  onRest(): void {
    this.#handler.onRest();
  }

  onEnd(trailers: HeaderBlock): void {
    this.#span.end('complete');
    this.#handler.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#span.end(failure.kind);
    this.#handler.onFailure(failure);
  }

  onBodySent(bytes: number): void {
    this.#handler.onBodySent(bytes);
  }

  onInternalError(error: unknown): void {
    this.#span.end('internal_error');
    this.#handler.onInternalError(error);
  }
}
