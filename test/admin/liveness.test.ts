import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { createLiveness, type Liveness } from '../../src/admin/liveness.ts';
import { watchStalls } from '../../src/admin/stalls.ts';

let time: number;
let liveness: Liveness;
const worker = { name: 'a worker' };
const another = { name: 'another' };
const quiet = { internalErrors: 0, stalledMs: 0 };

beforeEach(() => {
  time = 0;
  liveness = createLiveness({ maxStall: 10_000, maxInternalErrors: 5 }, () => time);
});

describe('errors of the gateway itself', () => {
  test('of all processes are added up, and are too many within a minute only', () => {
    liveness.heard(worker, { ...quiet, internalErrors: 3 });
    liveness.heard(another, { ...quiet, internalErrors: 2 });
    expect(liveness.verdict()).toBeNull();
    time = 30_000;
    liveness.heard(worker, { ...quiet, internalErrors: 4 });
    expect(liveness.verdict()).toBe('internal_errors');
    time = 60_000;
    liveness.serves(true);
    expect(liveness.verdict()).toBeNull();
  });

  test('of a process count once, however often it says how many there were', () => {
    for (let i = 0; i < 100; i++) liveness.heard(worker, { ...quiet, internalErrors: 5 });
    expect(liveness.verdict()).toBeNull();
  });

  test('are never too many where that is 0', () => {
    liveness = createLiveness({ maxStall: 0, maxInternalErrors: 0 }, () => time);
    liveness.heard(worker, { internalErrors: 1_000_000, stalledMs: 1_000_000 });
    expect(liveness.verdict()).toBeNull();
  });
});

test('a stall is told for half a minute after it, a short one is not', () => {
  liveness.heard(worker, { ...quiet, stalledMs: 9_999 });
  expect(liveness.verdict()).toBeNull();
  liveness.heard(worker, { ...quiet, stalledMs: 10_001 });
  expect(liveness.verdict()).toBe('event_loop_stuck');
  time = 29_999;
  expect(liveness.verdict()).toBe('event_loop_stuck');
  time = 30_001;
  expect(liveness.verdict()).toBeNull();
});

test('that nobody serves is told when it has lasted for a minute', () => {
  time = 60_000;
  liveness.serves(false);
  expect(liveness.verdict()).toBeNull();
  time = 60_001;
  expect(liveness.verdict()).toBe('no_worker');
  liveness.serves(true);
  expect(liveness.verdict()).toBeNull();
});

test('a loop that is busy with one thing is a stall, one that is idle is none', async () => {
  const stalls = watchStalls();
  await sleep(1_200);
  expect(stalls.take()).toBe(0);
  for (const end = performance.now() + 2_500; performance.now() < end; );
  await sleep(10);
  expect(stalls.take()).toBeGreaterThan(1_500);
  expect(stalls.take()).toBe(0);
  stalls.stop();
});
