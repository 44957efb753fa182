import type { Context, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { RequestHead } from '../exchange/ports/client.ts';
import type { RequestSpans, RequestTrace, RequestTracer } from '../exchange/ports/tracing.ts';
import { type HeaderBlock, headerList, without } from '../http/header-block.ts';
import {
  formatTraceParent,
  isInShare,
  parseTraceParent,
  SAMPLED,
  type TraceParent,
} from '../http/trace-context.ts';
import { serverAttributes } from './attributes.ts';
import type { Guard } from './guard.ts';
import { RecordedSpans } from './recorded-spans.ts';
import type { Sdk } from './sdk.ts';

/** Which requests are recorded. */
export interface Sampling {
  /** The share of traces, 0 to 1, that are recorded. */
  readonly ratio: number;
  /** Whether the caller's sampled flag decides where there is one. */
  readonly followParent: boolean;
}

/** What makes spans. */
export interface SpanMaker {
  readonly api: Pick<Sdk['api'], 'trace' | 'ROOT_CONTEXT' | 'createTraceState'>;
  /** Records every span that it is asked for. */
  readonly tracer: Tracer;
  /** A new span's id. */
  newSpanId(): string;
  newTraceId(): string;
  /** The trace id of the next span without a parent. */
  setTraceId(traceId: string): void;
  readonly guard: Guard;
}

/** `SpanKind.SERVER` of the API. */
const SERVER = 1;

const PARENT: ReadonlySet<string> = new Set(['traceparent']);
const CONTEXT: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

const noSpans = { spans: null };

/** Creates the tracer of one configuration. */
export function createRequestTracer(maker: SpanMaker, { ratio, followParent }: Sampling): RequestTracer {
  const { api, tracer, guard } = maker;

  function begin(head: RequestHead): RequestTrace | null {
    const { traceParent } = head.fields;
    const parent = traceParent === null ? null : parseTraceParent(traceParent);
    const wanted = parent !== null && (parent.flags & SAMPLED) !== 0;
    const traceId = parent?.traceId ?? maker.newTraceId();
    const sampled = parent !== null && followParent ? wanted : isInShare(traceId, ratio);
    if (sampled) return recorded(head, parent, traceId);
    // Nobody records it, and so its context says.
    return parent !== null && !wanted ? null : unrecorded(head, parent, traceId);
  }

  /** Says to the nodes that the trace is not recorded, so that none of them begins one of its own. */
  function unrecorded({ fields }: RequestHead, parent: TraceParent | null, traceId: string): RequestTrace {
    const line = traceParentLine(traceId, maker.newSpanId(), false, parent);
    // What stands beside an invalid `traceparent` is of another trace.
    const former = parent === null ? CONTEXT : PARENT;
    return {
      ids: { traceId, parentSpanId: parent?.parentId ?? null, spanId: null },
      ...noSpans,
      sent: (headers) => (fields.traceParent === null ? headers : without(headers, former)) + line,
    };
  }

  function recorded(head: RequestHead, parent: TraceParent | null, traceId: string): RequestTrace {
    const context = parent === null ? api.ROOT_CONTEXT : remoteContext(head, parent);
    if (parent === null) maker.setTraceId(traceId);
    const span = tracer.startSpan('request', { kind: SERVER, attributes: serverAttributes(head) }, context);
    const own = api.trace.setSpan(context, span);
    const { spanId } = span.spanContext();
    return {
      ids: { traceId, parentSpanId: parent?.parentId ?? null, spanId },
      spans: spansOf(head, span, own, parent),
      sent: (headers) => without(headers, parent === null ? CONTEXT : PARENT),
    };
  }

  function spansOf(
    head: RequestHead,
    span: Span,
    context: Context,
    parent: TraceParent | null,
  ): RequestSpans {
    const lineOf = ({ traceId, spanId }: SpanContext): HeaderBlock =>
      traceParentLine(traceId, spanId, true, parent);
    return new RecordedSpans({ head, span, context, lineOf, tracer, guard });
  }

  function remoteContext({ block }: RequestHead, { traceId, parentId }: TraceParent): Context {
    const state = headerList(block, 'tracestate');
    return api.trace.setSpanContext(api.ROOT_CONTEXT, {
      traceId,
      spanId: parentId,
      traceFlags: SAMPLED,
      isRemote: true,
      ...(state === null ? {} : { traceState: api.createTraceState(state) }),
    });
  }

  return { begin: (head) => guard(() => begin(head), null) };
}

function traceParentLine(
  traceId: string,
  spanId: string,
  sampled: boolean,
  parent: TraceParent | null,
): HeaderBlock {
  return `traceparent: ${formatTraceParent(traceId, spanId, sampled, parent?.flags)}\r\n`;
}
