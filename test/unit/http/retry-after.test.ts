import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMs } from '../../../src/http/retry-after.ts';

const NOW = Date.parse('2026-11-26T10:00:00Z');

test('seconds and dates are read, dates that are past as now', () => {
  expect(retryAfterMs('0', NOW)).toBe(0);
  expect(retryAfterMs('120', NOW)).toBe(120_000);
  expect(retryAfterMs('Thu, 26 Nov 2026 10:00:30 GMT', NOW)).toBe(30_000);
  expect(retryAfterMs('Wed, 25 Nov 2026 10:00:30 GMT', NOW)).toBe(0);
});

test('all else is no time, and whatever comes is one or none', () => {
  for (const text of [null, '', '-1', '1.5', 'soon', '99999999999'])
    expect(retryAfterMs(text, NOW)).toBeNull();
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = retryAfterMs(text, NOW);
      expect(read === null || read >= 0).toBe(true);
    }),
  );
});
