import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { processMetrics } from '../../../../src/metrics/metrics.ts';
import { trafficMetrics } from '../../../../src/metrics/traffic-metrics.ts';
import {
  carriedCounters,
  mergeMetrics,
  renderMetrics,
} from '../../../../src/workers/primary/merge-metrics.ts';
import { exchange } from '../../admin/fakes.ts';

const record = fc.record({
  role: fc.constantFrom('broker' as const, 'coordinator' as const),
  status: fc.constantFrom(200, 503),
  durationMs: fc.integer({ min: 0, max: 400_000 }),
  parkedMs: fc.integer({ min: 0, max: 60_000 }),
  bytesOut: fc.nat(),
});

/** The lines of a text, whatever their order. */
const lines = (text: string): string[] => text.split('\n').toSorted();

test('several processes together show what one would that had counted all', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(record), { minLength: 1, maxLength: 4 }), async (shares) => {
      const whole = new Registry();
      const all = trafficMetrics(whole);
      const sets = shares.map((records) => {
        const registry = new Registry();
        const one = trafficMetrics(registry);
        for (const each of records) {
          one(exchange(each));
          all(exchange(each));
        }
        return registry.getMetricsAsJSON();
      });
      const close = (text: string): string[] =>
        // Sums of seconds may differ in the last digit.
        lines(text.replace(/(_sum\S* )(\S+)/g, (_, name, sum) => name + Number(sum).toFixed(6)));
      expect(close(await renderMetrics(await Promise.all(sets)))).toEqual(close(await whole.metrics()));
    }),
    { numRuns: 30 },
  );
});

test('processes keep their own figures, the overloaded one is seen, and ended ones leave their counts', async () => {
  const sets = await Promise.all(
    [1, 2].map(async (worker) => {
      const registry = new Registry();
      const registers = [registry];
      processMetrics(registry, String(worker));
      new Counter({ name: 'druid_gateway_a_total', help: 'a', registers }).inc(worker);
      new Gauge({ name: 'druid_gateway_running', help: 'r', registers }).set(worker);
      new Gauge({ name: 'druid_gateway_overloaded', help: 'o', registers, aggregator: 'max' }).set(
        worker - 1,
      );
      new Histogram({ name: 'druid_gateway_h', help: 'h', buckets: [1], registers }).observe(worker);
      return registry.getMetricsAsJSON();
    }),
  );
  const text = await renderMetrics(sets);
  expect(text).toContain('druid_gateway_a_total 3\n');
  expect(text).toContain('druid_gateway_running 3\n');
  expect(text).toContain('druid_gateway_overloaded 1\n');
  expect(text).toMatch(/process_resident_memory_bytes\{worker="1"\} \d+\nprocess_\S+\{worker="2"\} \d+/);
  const [ended = [], alive = []] = sets;
  const kept = mergeMetrics([mergeMetrics([[], carriedCounters(ended)]), carriedCounters(ended)]);
  const later = await renderMetrics([alive, kept]);
  expect(later).toContain('druid_gateway_a_total 4\n');
  expect(later).toContain('druid_gateway_running 2\n');
  expect(later).toContain('druid_gateway_h_bucket{le="1"} 2\n');
  expect(later).toContain('druid_gateway_h_count 3\n');
  expect(later).not.toContain('worker="1"');
});
