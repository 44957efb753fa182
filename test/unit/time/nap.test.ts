import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Nap } from '../../../src/time/nap.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How long a sleep lasted, in ms. */
async function lasted(sleep: Promise<void>): Promise<number> {
  const began = Date.now();
  await sleep;
  return Date.now() - began;
}

test('it lasts as long as it is told, and at least a millisecond', async () => {
  const nap = new Nap();
  const long = lasted(nap.sleep(500));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await long).toBe(500);
  const none = lasted(nap.sleep(-5));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await none).toBe(1);
});

test('whoever wakes it ends it at once, and not the next one', async () => {
  const nap = new Nap();
  nap.wake();
  const long = lasted(nap.sleep(500));
  await vi.advanceTimersByTimeAsync(20);
  nap.wake();
  expect(await long).toBe(20);
  expect(vi.getTimerCount()).toBe(0);
});
