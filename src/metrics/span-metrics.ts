import { Counter, type Registry } from 'prom-client';
import { DROP_REASONS, type SpanCounts } from '../tracing/export-queue.ts';

/** Registers what became of spans; read when scraped. */
export function spanMetrics(registry: Registry, counts: () => SpanCounts): void {
  const registers = [registry];
  new Counter({
    name: 'druid_gateway_spans_exported_total',
    help: 'Spans that the receiver has taken. Only with tracing.',
    registers,
    collect() {
      this.reset();
      this.inc(counts().exported);
    },
  });
  new Counter({
    name: 'druid_gateway_spans_dropped_total',
    help: 'Spans that were not exported, by reason. Only with tracing.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      const { dropped } = counts();
      for (const reason of DROP_REASONS) this.inc({ reason }, dropped[reason]);
    },
  });
}
