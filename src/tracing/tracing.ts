import { randomUUID } from 'node:crypto';
import http from 'node:http';
import https, { type AgentOptions } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { clientPems } from '../config/pem-files.ts';
import type { Config } from '../config/schema.ts';
import type { RequestTracer } from '../exchange/ports/tracing.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { version } from '../version.ts';
import { tellOfExports } from './export-log.ts';
import { ExportQueue, type SpanCounts } from './export-queue.ts';
import { createGuard } from './guard.ts';
import { headersOf } from './otlp-headers.ts';
import { createRequestTracer, type Sampling } from './request-tracer.ts';
import { expectSdk, loadSdk, type Sdk } from './sdk.ts';

/** Spans of this process, exported over OTLP. */
export interface Tracing {
  readonly counts: SpanCounts;
  /** The tracer of one configuration. Spans of all of them go the same way. */
  tracer(sampling: Sampling): RequestTracer;
  /** Exports what is left, for at most `ms` milliseconds. What ends later is dropped. Never rejects. */
  close(ms: number): Promise<void>;
}

export interface TracingOptions {
  readonly config: Config['tracing'];
  readonly logger: Pick<Logger, 'warn' | 'info'>;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** OpenTelemetry's packages, by default those that are installed. */
  readonly sdk?: Sdk;
}

/** The path of a receiver of traces, for an endpoint without a path (OTLP/HTTP). */
const TRACES_PATH = '/v1/traces';
/** Spans in one export; the SDK's own default. */
const MOST_IN_BATCH = 512;
/** Time that an exporter has beyond its own, in ms. */
const EXPORT_SLACK_MS = 1_000;
/** Longest text of an attribute, in UTF-16 code units. */
const LONGEST_VALUE = 1024;

/**
 * Starts tracing as configured. Throws an Error of one sentence if a package is missing, or a configured file cannot be
 * used.
 */
export function createTracing({ config, logger, errors, sdk = loadSdk() }: TracingOptions): Tracing {
  const { api, trace } = sdk;
  const agent = agentOf(config.otlp);
  const exportMs = config.otlp.timeout + EXPORT_SLACK_MS;
  const queue = new ExportQueue({
    most: config.maxQueue,
    onBatch: tellOfExports(logger, () => queue.counts),
    exportMs,
    // The next export opens another connection.
    onOverdue: () => agent.destroy(),
  });
  const guard = createGuard(errors, () => queue.drop('error'));
  const ids = new GivenTraceIds(new trace.RandomIdGenerator());
  const batches = new trace.BatchSpanProcessor({
    exporter: queue.exporter(exporterOf(config.otlp, sdk, agent)),
    maxQueueSize: config.maxQueue,
    maxExportBatchSize: Math.min(MOST_IN_BATCH, config.maxQueue),
    scheduledDelayMillis: config.delay,
    // The queue ends an export before.
    exportTimeoutMillis: exportMs + EXPORT_SLACK_MS,
  });
  const provider = new trace.TracerProvider({
    resource: resourceOf(config, sdk),
    // A request is sampled before it has a span.
    sampler: new trace.AlwaysOnSampler(),
    idGenerator: ids,
    spanLimits: { attributeValueLengthLimit: LONGEST_VALUE },
    spanProcessors: [queue.processor(batches)],
  });
  const tracer = provider.getTracer('druid-gateway', version);
  const maker = {
    api,
    tracer,
    guard,
    newTraceId: () => ids.random.generateTraceId(),
    newSpanId: () => ids.random.generateSpanId(),
    setTraceId(traceId: string) {
      ids.next = traceId;
    },
  };
  const shutDown = async (): Promise<void> => provider.shutdown();
  return {
    get counts() {
      return queue.counts;
    },
    tracer: (sampling) => createRequestTracer(maker, sampling),
    async close(ms) {
      const ended = new AbortController();
      // A receiver that takes nothing has been told of already.
      const flushed = shutDown().catch(() => {});
      await Promise.race([flushed, sleep(ms, undefined, { signal: ended.signal }).catch(() => {})]);
      ended.abort();
      queue.close();
    },
  };
}

/**
 * Throws what `createTracing` would, without starting anything: for a process whose workers trace, so that it is told
 * once.
 */
export function expectTracing({ otlp }: Config['tracing']): void {
  expectSdk();
  headersOf(otlp);
  agentTls(otlp);
}

/** Random ids, but for a trace whose id is known before its first span. */
class GivenTraceIds implements IdGenerator {
  readonly random: IdGenerator;
  next: string | null = null;

  constructor(random: IdGenerator) {
    this.random = random;
  }

  generateTraceId(): string {
    const given = this.next;
    this.next = null;
    return given ?? this.random.generateTraceId();
  }

  generateSpanId(): string {
    return this.random.generateSpanId();
  }
}

/** The connections to the receiver. Throws an Error of one sentence if a file cannot be read. */
function agentOf(otlp: Config['tracing']['otlp']): http.Agent {
  const options = { keepAlive: true, ...agentTls(otlp) };
  return new URL(otlp.endpoint).protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
}

function exporterOf(otlp: Config['tracing']['otlp'], { exporter }: Sdk, agent: http.Agent) {
  const url = new URL(otlp.endpoint);
  if (url.pathname === '/') url.pathname = TRACES_PATH;
  type Options = NonNullable<ConstructorParameters<typeof exporter.OTLPTraceExporter>[0]>;
  return new exporter.OTLPTraceExporter({
    url: url.href,
    headers: headersOf(otlp),
    timeoutMillis: otlp.timeout,
    compression: otlp.compression as NonNullable<Options['compression']>,
    httpAgentOptions: () => agent,
  });
}

function agentTls({ tls }: Config['tracing']['otlp']): AgentOptions {
  if (tls === undefined) return {};
  const { verify, ...files } = tls;
  return { ...clientPems(files), rejectUnauthorized: verify };
}

function resourceOf({ serviceName, resource }: Config['tracing'], { resources }: Sdk) {
  const given = resource.map((pair): [string, string] => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
  return resources.defaultResource().merge(
    resources.resourceFromAttributes({
      'service.version': version,
      // Each process has its own: it tells workers apart.
      'service.instance.id': randomUUID(),
      'process.pid': process.pid,
      ...Object.fromEntries(given),
      'service.name': serviceName,
    }),
  );
}
