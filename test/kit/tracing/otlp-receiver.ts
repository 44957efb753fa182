import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** The part of opentelemetry-proto's `trace.proto` that is looked at. */
const PROTO = `
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; Status status = 15;
  }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
  }`;

const Request = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('Request');

/** Kinds of spans as OTLP numbers them. */
const KINDS = ['unspecified', 'internal', 'server', 'client'] as const;

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: (typeof KINDS)[number] | undefined;
  /** Milliseconds. */
  readonly took: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A receiver of OTLP over HTTP that keeps what it gets. */
export interface OtlpReceiver {
  readonly url: string;
  readonly port: number;
  readonly spans: ReceivedSpan[];
  /** Of each export. */
  readonly resources: Readonly<Record<string, unknown>>[];
  readonly requests: IncomingMessage[];
  /** Answers an export; by default with 200. */
  answer: (response: ServerResponse) => void;
  /** Waits until there are so many spans. */
  received(count: number): Promise<ReceivedSpan[]>;
  close(): Promise<void>;
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface RawSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly trace_state: string;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: number;
  readonly end_time_unix_nano: number;
  readonly attributes: readonly KeyValue[];
  readonly status?: { readonly code: number };
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const server = createServer((request, response) => {
    receiver.requests.push(request);
    void buffer(request).then((sent) => {
      keep(request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent);
      receiver.answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const waiting = new Set<() => void>();
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${port}`,
    port,
    spans: [],
    resources: [],
    requests: [],
    answer: (response) => void response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(),
    async received(count) {
      while (receiver.spans.length < count) {
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
        });
      }
      return receiver.spans;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function keep(sent: Buffer): void {
    const { resource_spans } = Request.toObject(Request.decode(sent), {
      longs: Number,
      defaults: true,
      arrays: true,
    }) as {
      resource_spans: {
        resource: { attributes: KeyValue[] };
        scope_spans: { spans: RawSpan[] }[];
      }[];
    };
    for (const { resource, scope_spans } of resource_spans) {
      receiver.resources.push(recordOf(resource.attributes));
      receiver.spans.push(...scope_spans.flatMap(({ spans }) => spans.map(spanOf)));
    }
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  return receiver;
}

function spanOf(raw: RawSpan): ReceivedSpan {
  return {
    traceId: Buffer.from(raw.trace_id).toString('hex'),
    spanId: Buffer.from(raw.span_id).toString('hex'),
    parentId: Buffer.from(raw.parent_span_id).toString('hex'),
    state: raw.trace_state,
    name: raw.name,
    kind: KINDS[raw.kind],
    took: (raw.end_time_unix_nano - raw.start_time_unix_nano) / 1e6,
    failed: raw.status?.code === 2,
    attributes: recordOf(raw.attributes),
  };
}

function recordOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const kind = ['string_value', 'bool_value', 'int_value', 'double_value'].find((name) => name in value);
      return [key, kind === undefined ? undefined : value[kind]];
    }),
  );
}
