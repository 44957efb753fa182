import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBodyLimits } from '../../../../src/exchange/limits/body-limits.ts';
import { createCancelLimits } from '../../../../src/exchange/limits/cancel-limits.ts';
import { type ConcurrencyLimits, createConcurrency } from '../../../../src/exchange/limits/concurrency.ts';
import { createRetryBudget } from '../../../../src/exchange/limits/retry-budget.ts';
import { createWaitQueue, type PendingRequest } from '../../../../src/exchange/limits/wait-queue.ts';
import { FakeCluster } from '../../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

const errors = recordErrors();
const now = (): number => 0;

const limits = (total: number, perClient = 0): ConcurrencyLimits => ({
  total,
  roles: { coordinator: 0, overlord: 0, broker: 0 },
  perClient,
  largeShare: 1,
});
const claim = { role: 'broker', client: 'a', large: false } as const;

test('requests that are at nodes count against changed limits', () => {
  const concurrency = createConcurrency(limits(0), () => {});
  concurrency.enter(claim);
  concurrency.setLimits(limits(1));
  expect(concurrency.limitReached(claim)).toBe('overloaded');
  concurrency.setLimits(limits(2, 1));
  expect(concurrency.limitReached(claim)).toBe('client');
  expect(concurrency.limitReached({ ...claim, client: 'b' })).toBeNull();
  concurrency.leave(claim);
  expect(concurrency.limitReached(claim)).toBeNull();
});

test('whenever limits change, nothing that has ended counts', () => {
  const step = fc.oneof(
    fc.constant('enter' as const),
    fc.constant('leave' as const),
    fc.tuple(fc.nat(2), fc.nat(2)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const concurrency = createConcurrency(limits(0), () => {});
      let under = 0;
      for (const taken of steps) {
        if (Array.isArray(taken)) concurrency.setLimits(limits(...taken));
        else if (taken === 'enter') {
          concurrency.enter(claim);
          under++;
        } else if (under > 0) {
          concurrency.leave(claim);
          under--;
        }
      }
      expect(concurrency.under('broker')).toBe(under);
      for (; under > 0; under--) concurrency.leave(claim);
      concurrency.setLimits(limits(1, 1));
      expect(concurrency.limitReached(claim)).toBeNull();
    }),
  );
});

test('cancels that run count against a changed limit', () => {
  const cancels = createCancelLimits(8);
  cancels.enter('a');
  cancels.setLimit(4);
  expect([cancels.limitReached('a'), cancels.limitReached('b')]).toEqual(['client', null]);
  cancels.setLimit(1);
  expect(cancels.limitReached('b')).toBe('all');
});

test('repeats within the window count against a changed budget', () => {
  const budget = createRetryBudget({ share: 0, minPerSecond: 1 });
  for (let i = 0; i < 10; i++) expect(budget.withdraw(0)).toBe(true);
  expect(budget.withdraw(0)).toBe(false);
  budget.setLimits({ share: 0, minPerSecond: 2 });
  expect(budget.withdraw(0)).toBe(true);
  budget.setLimits({ share: 0, minPerSecond: 0 });
  expect(budget.withdraw(0)).toBe(false);
  expect(budget.refusals).toBe(2);
});

test('bytes of bodies that are kept count against a changed limit', () => {
  const bounds = { maxBytes: 0, maxWaitMs: 1, idleTimeoutMs: 2, minRate: 3 };
  const bodies = createBodyLimits({ ...bounds, errors, now });
  bodies.hold(100);
  expect(bodies.full).toBe(false);
  bodies.setLimits({ ...bounds, maxBytes: 100, idleTimeoutMs: 7 });
  expect([bodies.full, bodies.options.idleTimeoutMs, bodies.options.now]).toEqual([true, 7, now]);
  bodies.release(1);
  expect([bodies.full, bodies.used]).toEqual([false, 99]);
});

test('requests that wait go on waiting when fewer may, and count against those that come', () => {
  const queue = createWaitQueue({
    cluster: new FakeCluster(),
    maxRequests: 2,
    maxBytes: 100,
    maxQueued: 10,
    errors,
    now,
  });
  const ends: string[] = [];
  const pending = (needsCapacity = false): PendingRequest => ({
    role: 'broker',
    flow: 'a',
    bytes: 10,
    needsCapacity,
    canGo: () => false,
    deadline: () => Number.POSITIVE_INFINITY,
    go: () => void ends.push('went'),
    expire: () => void ends.push('expired'),
    onInternalError: (error) => void ends.push(String(error)),
  });
  expect([queue.park(pending()), queue.park(pending())]).toEqual([null, null]);
  queue.setBounds({ maxRequests: 1, maxBytes: 100, maxQueued: 10 });
  expect([queue.waiting('broker'), ends, queue.park(pending())]).toEqual([2, [], 'requests']);
  queue.setBounds({ maxRequests: 9, maxBytes: 100, maxQueued: 0, byRole: { broker: { maxBytes: 20 } } });
  expect([queue.park(pending()), queue.park(pending(true))]).toEqual(['bytes', 'queue']);
  queue.setBounds({ maxRequests: 3, maxBytes: 100, maxQueued: 10 });
  expect(queue.park(pending())).toBeNull();
  queue.close();
  expect(ends).toEqual(['expired', 'expired', 'expired']);
});
