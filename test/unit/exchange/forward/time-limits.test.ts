import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type TimeLimitOptions,
  totalLimit,
  upstreamTimeouts,
} from '../../../../src/exchange/forward/time-limits.ts';
import { LONGEST_TIMER_MS } from '../../../../src/time/timer.ts';

const OPTIONS: TimeLimitOptions = { timeoutSlackMs: 5_000, totalTimeoutMs: 60_000, timeoutsByClass: {} };

test.each([
  [null, 60_000],
  [1_000, 60_000],
  [100_000, 105_000],
  [LONGEST_TIMER_MS - 5_000, LONGEST_TIMER_MS],
  [LONGEST_TIMER_MS - 4_999, LONGEST_TIMER_MS],
  [Number.MAX_SAFE_INTEGER, LONGEST_TIMER_MS],
])('a query that may take %s ms has %s ms for the whole exchange', (own, limit) => {
  expect(totalLimit('query', own, OPTIONS)).toBe(limit);
});

test('no limit is more than a timer can hold, whatever is added up', () => {
  const duration = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: LONGEST_TIMER_MS }));
  fc.assert(
    fc.property(
      fc.option(fc.double({ min: 1, max: Number.MAX_SAFE_INTEGER, noNaN: true })),
      duration,
      duration,
      fc.option(duration, { nil: undefined }),
      (own, timeoutSlackMs, totalTimeoutMs, idleTimeout) => {
        const query = idleTimeout === undefined ? {} : { idleTimeout };
        const options = { timeoutSlackMs, totalTimeoutMs, timeoutsByClass: { query } };
        const { responseTimeoutMs = 0, idleTimeoutMs = 0 } = upstreamTimeouts('query', own, options);
        const limits = [responseTimeoutMs, idleTimeoutMs, totalLimit('query', own, options)];
        expect(Math.max(...limits)).toBeLessThanOrEqual(LONGEST_TIMER_MS);
      },
    ),
  );
});
