import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTotals, NO_TOTALS, NodeTraffic } from '../../../src/cluster/node-traffic.ts';

const MINUTE = 60_000;

test('what nobody asked for is nothing', () => {
  const traffic = new NodeTraffic();
  expect(traffic.recent(5)).toEqual({ attempts: 0, errors: 0, p50Ms: null, p99Ms: null });
  expect(traffic.counts(5)).toBe(null);
  expect(traffic.totals).toEqual(NO_TOTALS);
});

test('quantiles lie in the bucket of the latencies, and errors count once each', () => {
  const traffic = new NodeTraffic();
  for (let i = 0; i < 98; i++) traffic.answered(8, false, 1_000);
  traffic.answered(2_000, true, 1_000);
  traffic.answered(2_000, false, 1_000);
  traffic.brokeOff(1_000);
  traffic.unanswered(1_000);
  const { attempts, errors, p50Ms, p99Ms } = traffic.recent(1_500);
  expect([attempts, errors]).toEqual([101, 3]);
  expect(p50Ms).toBeGreaterThan(5);
  expect(p50Ms).toBeLessThanOrEqual(10);
  expect(p99Ms).toBeGreaterThan(1_000);
  expect(p99Ms).toBeLessThanOrEqual(2_500);
  expect(traffic.totals).toEqual({ attempts: 101, errors: 3, latencyMs: 98 * 8 + 4_000 });
});

test('a node that only fails has errors and no latency', () => {
  const traffic = new NodeTraffic();
  traffic.unanswered(1);
  expect(traffic.recent(2)).toEqual({ attempts: 1, errors: 1, p50Ms: null, p99Ms: null });
});

test('what took longer than any bucket is told as the longest bound', () => {
  const traffic = new NodeTraffic();
  traffic.answered(1e9, false, 1);
  expect(traffic.recent(2).p99Ms).toBe(300_000);
});

describe('the last minute', () => {
  test('is at least fifty seconds and at most sixty, whenever it is asked for', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 40 }),
        fc.nat({ max: 200_000 }),
        (gaps, wait) => {
          const traffic = new NodeTraffic();
          const times: number[] = [];
          let now = 0;
          for (const gap of gaps) {
            now += gap;
            times.push(now);
            traffic.answered(7, false, now);
          }
          now += wait;
          const within = (ms: number): number => times.filter((time) => now - time < ms).length;
          const { attempts } = traffic.recent(now);
          expect(attempts).toBeGreaterThanOrEqual(within(50_000));
          expect(attempts).toBeLessThanOrEqual(within(MINUTE + 1));
          expect(traffic.totals.attempts).toBe(times.length);
        },
      ),
    );
  });

  test('ends, and begins anew', () => {
    const traffic = new NodeTraffic();
    traffic.answered(7, true, 1_000);
    expect(traffic.recent(5 * MINUTE)).toEqual({ attempts: 0, errors: 0, p50Ms: null, p99Ms: null });
    // A quiet node costs three numbers between processes.
    expect(traffic.counts(5 * MINUTE)).toEqual([1, 1, 7]);
    traffic.answered(7, false, 5 * MINUTE);
    expect(traffic.recent(5 * MINUTE)).toMatchObject({ attempts: 1, errors: 0 });
  });
});

test('the counts of several processes make the same as one process', () => {
  const observation = fc.record({
    process: fc.nat({ max: 2 }),
    ms: fc.double({ min: 0, max: 400_000, noNaN: true }),
    kind: fc.constantFrom('answered', 'failed', 'unanswered'),
  });
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 60 }), (observations) => {
      const whole = new NodeTraffic();
      const parts = [new NodeTraffic(), new NodeTraffic(), new NodeTraffic()];
      for (const { process, ms, kind } of observations) {
        for (const traffic of [whole, parts[process]]) {
          if (kind === 'unanswered') traffic?.unanswered(1_000);
          else traffic?.answered(ms, kind === 'failed', 1_000);
        }
      }
      const merged = new NodeTraffic();
      const counts = parts.flatMap((part) => part.counts(2_000) ?? []).length;
      const all = parts.map((part) => part.counts(2_000)).filter((one) => one !== null);
      expect(counts).toBe(all.flat().length);
      merged.takeOthers(all.reduce(addTotals, NO_TOTALS), all);
      expect(merged.recent(99)).toEqual(whole.recent(2_000));
      expect(merged.totals.attempts).toBe(whole.totals.attempts);
      expect(merged.totals.errors).toBe(whole.totals.errors);
      expect(merged.totals.latencyMs).toBeCloseTo(whole.totals.latencyMs, 3);
    }),
  );
});
