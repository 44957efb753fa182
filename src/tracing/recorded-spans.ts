import type { Context, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { UpstreamNode } from '../cluster/node.ts';
import type { RequestHead } from '../exchange/ports/client.ts';
import type { ExchangeRecord } from '../exchange/ports/record.ts';
import type { AttemptEnd, AttemptSpan, RequestSpans, WaitSpan } from '../exchange/ports/tracing.ts';
import type { UpstreamRequest } from '../exchange/ports/upstream.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { UnavailableReason } from '../routing/target.ts';
import { attemptAttributes, errorOf, nameOf, recordAttributes, serverName } from './attributes.ts';
import type { Guard } from './guard.ts';

/** `SpanKind` and `SpanStatusCode` of the API. */
const INTERNAL = 0;
const CLIENT = 2;
const ERROR = { code: 2 };

export interface RecordedSpansOptions {
  readonly head: RequestHead;
  /** The span of the request. */
  readonly span: Span;
  /** The context in which it is the parent. */
  readonly context: Context;
  /** The line that names a span to a node. */
  readonly lineOf: (span: SpanContext) => HeaderBlock;
  readonly tracer: Tracer;
  readonly guard: Guard;
}

/** The spans of one request: a server's, with a client's for each attempt at a node and one for each wait. */
export class RecordedSpans implements RequestSpans {
  readonly #options: RecordedSpansOptions;
  #attempts = 0;
  #over = false;

  constructor(options: RecordedSpansOptions) {
    this.#options = options;
  }

  attempt(node: UpstreamNode, request: UpstreamRequest): AttemptSpan {
    const { tracer, context, lineOf, guard } = this.#options;
    // Cancels go to several Brokers at once.
    const resends = request.uncounted === true ? 0 : this.#attempts++;
    return guard<AttemptSpan>(
      () => {
        const attributes = attemptAttributes(node, request, resends);
        const span = tracer.startSpan(nameOf(request.method), { kind: CLIENT, attributes }, context);
        return new RecordedAttempt(span, request.headers + lineOf(span.spanContext()), guard);
      },
      { headers: request.headers, answered() {}, end() {} },
    );
  }

  wait(reason: UnavailableReason | null): WaitSpan {
    const { tracer, context, guard } = this.#options;
    return guard<WaitSpan>(
      () => {
        // Without a reason it is a pause after a failed attempt.
        const attributes = { 'druid_gateway.wait.reason': reason ?? 'pause' };
        const span = tracer.startSpan('wait', { kind: INTERNAL, attributes }, context);
        return { end: () => guard(() => span.end(), undefined) };
      },
      { end() {} },
    );
  }

  end(record: ExchangeRecord): void {
    if (this.#over) return;
    this.#over = true;
    const { head, span, guard } = this.#options;
    guard(() => {
      span.updateName(serverName(head.method, record));
      span.setAttributes(recordAttributes(record));
      if (errorOf(record) !== null) span.setStatus(ERROR);
      span.end();
    }, undefined);
  }
}

class RecordedAttempt implements AttemptSpan {
  readonly headers: HeaderBlock;
  readonly #span: Span;
  readonly #guard: Guard;
  #status = 0;
  #over = false;

  constructor(span: Span, headers: HeaderBlock, guard: Guard) {
    this.#span = span;
    this.headers = headers;
    this.#guard = guard;
  }

  answered(status: number): void {
    this.#status = status;
  }

  end(how: AttemptEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#guard(() => {
      const span = this.#span;
      const status = this.#status;
      if (status !== 0) span.setAttribute('http.response.status_code', status);
      const error = errorOfAttempt(how, status);
      if (error !== null) {
        span.setAttribute('error.type', error);
        span.setStatus(ERROR);
      }
      span.end();
    }, undefined);
  }
}

/** What made an attempt fail; null if it did not. For who asks, any status from 400 is a failure (semantic conventions). */
function errorOfAttempt(how: AttemptEnd, status: number): string | null {
  if (status >= 400) return String(status);
  // With a status, the exchange has what it wanted: the head of a HEAD's answer, or a redirect that it follows itself.
  return how === 'complete' || (how === 'aborted' && status !== 0) ? null : how;
}
