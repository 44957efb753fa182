import { expect, test } from 'vitest';
import {
  createRecentlyFailedNodes,
  failureMemoryMs,
} from '../../../../src/workers/protocol/recently-failed-nodes.ts';

test('a success is told when it may end a row of failures or have an ejection forgotten, and not otherwise', () => {
  let now = 0;
  const list = createRecentlyFailedNodes(() => now, 10_000);
  const tells = (time: number): boolean => {
    now = time;
    return list.shouldReport('a');
  };
  expect(tells(0)).toBe(false);
  list.add('a');
  expect([tells(1), tells(50), tells(100), tells(101), tells(150)]).toEqual([
    true,
    false,
    false,
    true,
    false,
  ]);
  list.add('a');
  expect([tells(151), tells(152)]).toEqual([true, false]);
  expect(list.shouldReport('b')).toBe(false);
  expect(list.origins).toEqual(['a']);
  expect([tells(10_150), tells(10_151), list.origins]).toEqual([true, false, []]);
});

test('a node is watched for longer than its ejections are remembered', () => {
  expect(failureMemoryMs(3_600_000)).toBeGreaterThan(2 * 3_600_000);
  expect(failureMemoryMs(100)).toBeGreaterThan(60_000);
});
