import { afterEach, expect, test } from 'vitest';
import { aborted, type Ending, listenForEnding } from '../../../demo/signals.ts';

let ending: Ending;

afterEach(() => ending.release());

test('a signal ends everything, once that is the only way', async () => {
  ending = listenForEnding();
  const stopped = aborted(ending.stop);
  process.emit('SIGTERM');
  await stopped;
  expect(ending.abandon.aborted).toBe(true);
  await aborted(ending.abandon);
});

test('where the end is gentle, the first signal stops and the second one ends everything', () => {
  let now = 0;
  ending = listenForEnding(() => now);
  ending.gently();
  process.emit('SIGINT');
  expect([ending.stop.aborted, ending.abandon.aborted]).toEqual([true, false]);
  // The same Ctrl-C by another way.
  now = 900;
  process.emit('SIGINT');
  expect(ending.abandon.aborted).toBe(false);
  now = 1_900;
  process.emit('SIGINT');
  expect(ending.abandon.aborted).toBe(true);
});

test('nothing is heard after the release', () => {
  const before = process.listenerCount('SIGHUP');
  ending = listenForEnding();
  expect(process.listenerCount('SIGHUP')).toBe(before + 1);
  ending.release();
  expect(process.listenerCount('SIGHUP')).toBe(before);
});
