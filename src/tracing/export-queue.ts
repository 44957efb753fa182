import type { ReadableSpan, Span, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** Why a span was not exported. */
export const DROP_REASONS = ['queue_full', 'export_failed', 'error', 'shutdown'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** What became of the spans so far. */
export interface SpanCounts {
  readonly exported: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

type Exported = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** Told of each batch: null if it was exported, otherwise why not. */
export type OnBatch = (failure: string | null) => void;

/** The result code of success (`ExportResultCode`). */
const SUCCESS = 0;
const FAILED = 1;

/**
 * Bounds the spans that wait for their export, and counts what becomes of all. The SDK's batch processor has a bound of
 * its own, but tells nobody what it drops. Use `exporter` for that processor, and `processor(it)` in its place.
 */
export class ExportQueue {
  readonly #most: number;
  readonly #onBatch: OnBatch;
  readonly #dropped: Record<DropReason, number> = { queue_full: 0, export_failed: 0, error: 0, shutdown: 0 };
  #exported = 0;
  /** Spans that the batch processor has and the exporter does not. */
  #waiting = 0;
  #sending = 0;
  #closed = false;

  constructor(most: number, onBatch: OnBatch) {
    this.#most = most;
    this.#onBatch = onBatch;
  }

  get counts(): SpanCounts {
    return { exported: this.#exported, dropped: this.#dropped };
  }

  drop(reason: DropReason, spans = 1): void {
    this.#dropped[reason] += spans;
  }

  /** From now on what is not exported yet counts as dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.drop('shutdown', this.#waiting + this.#sending);
  }

  processor(batches: SpanProcessor): SpanProcessor {
    return {
      onStart: (span: Span, context) => batches.onStart(span, context),
      onEnd: (span: ReadableSpan) => {
        if (this.#closed) this.drop('shutdown');
        else if (this.#waiting >= this.#most) this.drop('queue_full');
        else {
          this.#waiting++;
          batches.onEnd(span);
        }
      },
      forceFlush: () => batches.forceFlush(),
      shutdown: () => batches.shutdown(),
    };
  }

  exporter(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        this.#waiting -= spans.length;
        this.#sending += spans.length;
        const end = (result: Exported): void => {
          this.#sending -= spans.length;
          this.#count(spans.length, result);
          done(result);
        };
        try {
          exporter.export(spans, end);
        } catch (error) {
          end({ code: FAILED, error: error instanceof Error ? error : new Error(String(error)) });
        }
      },
      shutdown: () => exporter.shutdown(),
    };
  }

  #count(spans: number, { code, error }: Exported): void {
    if (this.#closed) return;
    if (code === SUCCESS) this.#exported += spans;
    else this.drop('export_failed', spans);
    this.#onBatch(code === SUCCESS ? null : (error?.message ?? 'no reason given'));
  }
}
