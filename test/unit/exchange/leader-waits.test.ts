import { expect, test } from 'vitest';
import { LeaderWaitTally, leaderWaitsOf } from '../../../src/exchange/leader-waits.ts';

const record = (leaderlessSince: number | null, reason: 'no_leader' | null = null) => ({
  leaderWait: leaderlessSince === null ? null : ({ role: 'overlord', leaderlessSince } as const),
  reason,
});

test('a request that waited counts once, and as failed if the gateway answered with an error', () => {
  expect(leaderWaitsOf(record(null))).toBeNull();
  expect(leaderWaitsOf(record(7))).toEqual({ role: 'overlord', leaderlessSince: 7, waited: 1, failed: 0 });
  expect(leaderWaitsOf(record(7, 'no_leader'))).toMatchObject({ waited: 1, failed: 1 });
});

test('counts are added up by the time without a leader, and taken once', () => {
  const tally = new LeaderWaitTally();
  for (const one of [record(7), record(null), record(9, 'no_leader'), record(7, 'no_leader')]) tally.add(one);
  expect(tally.take()).toEqual([
    { role: 'overlord', leaderlessSince: 7, waited: 2, failed: 1 },
    { role: 'overlord', leaderlessSince: 9, waited: 1, failed: 1 },
  ]);
  expect(tally.take()).toEqual([]);
});

test('what is kept between two takes is bounded', () => {
  const tally = new LeaderWaitTally();
  for (let i = 0; i < 10_000; i++) tally.add(record(i));
  expect(tally.take().length).toBeLessThanOrEqual(200);
});
