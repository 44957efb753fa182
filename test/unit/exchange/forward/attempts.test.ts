import { expect, test } from 'vitest';
import { Attempts } from '../../../../src/exchange/forward/attempts.ts';
import { RequestBody } from '../../../../src/exchange/forward/request-body.ts';
import type { Again } from '../../../../src/exchange/forward/verdict.ts';
import { createRetryBudget, type RetryBudget } from '../../../../src/exchange/limits/retry-budget.ts';
import type { RouteClass } from '../../../../src/routing/route.ts';
import { noBodyLimits } from '../../../kit/gateway/no-body-limits.ts';

const NOTHING = { whole: null, deliver() {}, pause() {}, resume() {} };
const AGAIN: Again = {
  kind: 'again',
  outcome: 'reset',
  counts: true,
  onlyElsewhere: false,
  overloaded: null,
  error: { status: 502, reason: 'upstream_reset', message: '' },
};

function attemptsOf(routeClass: RouteClass, retryBudget: RetryBudget): Attempts {
  const route = { kind: 'forward', role: 'coordinator', class: routeClass, target: '/' } as const;
  return new Attempts(route, new RequestBody(NOTHING, 0, 0, noBodyLimits()), { retryBudget, now: () => 0 });
}

/** Lets ten repeats through in all. */
const small = (): RetryBudget => createRetryBudget({ share: 0, minPerSecond: 1 });

test('repeats that count are counted, and end where the budget that all requests share is spent', () => {
  const budget = small();
  const first = attemptsOf('read', budget);
  for (let i = 0; i < 6; i++) expect(first.next(AGAIN)).toBe('anywhere');
  const second = attemptsOf('read', budget);
  for (let i = 0; i < 4; i++) expect(second.next(AGAIN)).toBe('anywhere');
  expect(second.next(AGAIN)).toBe('nowhere');
  expect([first.repeats, second.repeats, budget.refusals]).toEqual([6, 4, 1]);
});

test('an overloaded leader is asked out of the budget, which leaves the repeats for other failures', () => {
  const overloaded = { ...AGAIN, overloaded: { retryAfterMs: null } };
  const attempts = attemptsOf('read', small());
  for (let i = 0; i < 10; i++) expect(attempts.next(overloaded)).toBe('anywhere');
  expect([attempts.next(overloaded), attempts.repeats]).toEqual(['nowhere', 0]);
});

test('attempts of which nothing was sent are not counted, and need no budget', () => {
  const attempts = attemptsOf('write', createRetryBudget({ share: 0, minPerSecond: 0 }));
  for (let i = 0; i < 20; i++) expect(attempts.next({ ...AGAIN, counts: false })).toBe('anywhere');
  expect(attempts.repeats).toBe(0);
});

test('where asking the same node again is of no use, only another one is left', () => {
  expect(attemptsOf('read', small()).next({ ...AGAIN, onlyElsewhere: true })).toBe('another');
});

test('a stale connection is made up for once, and never for a write', () => {
  const read = attemptsOf('read', small());
  expect([read.resend(), read.resend()]).toEqual([true, false]);
  expect(attemptsOf('write', small()).resend()).toBe(false);
});
