import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSlowStart } from '../../../../src/cluster/brokers/slow-start.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an error in one step is told, and does not keep a node from its whole share', () => {
  const node = new UpstreamNode('http://10.0.0.1:8082');
  const told: unknown[] = [];
  let fails = false;
  const now = (): number => {
    if (fails) throw new Error('no time');
    return Date.now();
  };
  const warmUp = createSlowStart(1_000, now, (error) => told.push(error));
  warmUp.begin(node);
  vi.advanceTimersByTime(500);
  expect(node.share).toBe(0.5);
  fails = true;
  vi.advanceTimersByTime(50);
  fails = false;
  expect(told).toEqual([new Error('no time')]);
  expect(node.share).toBe(0.5);
  vi.advanceTimersByTime(450);
  expect(node.share).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
