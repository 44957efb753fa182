import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Liveness } from '../../../src/admin/liveness.ts';
import { LOOK_MS, LoopWatch, watchLoop } from '../../../src/admin/loop-watch.ts';

let now: number;
let liveness: Liveness;

beforeEach(() => {
  now = 5_000;
  liveness = create();
});

function create(limits: { maxStallMs?: number; maxInternalErrors?: number } = {}): Liveness {
  return new Liveness({ maxStallMs: 10_000, maxInternalErrors: 100, now: () => now, ...limits });
}

describe('an event loop that was stuck', () => {
  test('counts for half a minute, when it was longer than the limit', () => {
    liveness.stalled(10_000);
    expect(liveness.notLive).toBeNull();
    liveness.stalled(10_001);
    expect(liveness.notLive).toBe('event_loop_stuck');
    liveness.serves(true);
    now += 29_999;
    expect(liveness.notLive).toBe('event_loop_stuck');
    now += 1;
    expect(liveness.notLive).toBeNull();
  });

  test('never counts with a limit of 0', () => {
    liveness = create({ maxStallMs: 0 });
    liveness.stalled(1e9);
    expect(liveness.notLive).toBeNull();
  });
});

describe('internal errors', () => {
  const [one, two] = [{}, {}];

  test('are too many when there are more in a minute, of all processes together', () => {
    liveness.errors(one, 60);
    now += 30_000;
    liveness.serves(true);
    liveness.errors(two, 40);
    expect(liveness.notLive).toBeNull();
    liveness.errors(two, 41);
    liveness.errors(two, 41);
    expect(liveness.notLive).toBe('internal_errors');
    now += 29_999;
    expect(liveness.notLive).toBe('internal_errors');
    // The first sixty are a minute old.
    now += 1;
    expect(liveness.notLive).toBeNull();
  });

  test('count since a process began, and one that takes the place of another begins anew', () => {
    liveness.errors(one, 90);
    liveness.errors({}, 10);
    expect(liveness.notLive).toBeNull();
    liveness.errors({}, 1);
    expect(liveness.notLive).toBe('internal_errors');
  });

  test('that come slowly are never too many, and none are with a limit of 0', () => {
    for (let minute = 1; minute < 100; minute++) {
      now += 60_000;
      liveness.serves(true);
      liveness.errors(one, minute * 100);
      expect(liveness.notLive).toBeNull();
    }
    liveness = create({ maxInternalErrors: 0 });
    liveness.errors(one, 1e9);
    expect(liveness.notLive).toBeNull();
  });
});

test('nobody who serves for more than half a minute is as good as nobody', () => {
  now += 30_000;
  expect(liveness.notLive).toBeNull();
  now += 1;
  liveness.serves(false);
  expect(liveness.notLive).toBe('no_worker');
  liveness.serves(true);
  expect(liveness.notLive).toBeNull();
});

describe('the watch over a loop', () => {
  let cpu: number;
  let watch: LoopWatch;
  beforeEach(() => {
    cpu = 700;
    watch = new LoopWatch({ now: () => now, cpu: () => cpu });
  });

  /** So long passes until the next look, of which the process is at work for a part. */
  function pass(ms: number, share: number): number {
    now += ms;
    cpu += ms * share;
    return watch.look();
  }

  test('sees nothing in a loop that turns, however much it has to do', () => {
    expect(pass(LOOK_MS, 0)).toBe(0);
    expect(pass(LOOK_MS, 1)).toBe(0);
    expect(pass(LOOK_MS - 1, 1)).toBe(0);
  });

  test('sees how long it was stuck, also with a part of a core, or with more than one', () => {
    expect(pass(LOOK_MS + 10_000, 1)).toBe(10_000);
    expect(pass(LOOK_MS + 12_000, 0.2)).toBe(12_000);
    expect(pass(LOOK_MS + 13_000, 3)).toBe(13_000);
    expect(pass(LOOK_MS, 1)).toBe(0);
  });

  test('does not take a process for stuck that did not run, whatever it was at before', () => {
    expect(pass(LOOK_MS + 20_000, 0)).toBe(0);
    now += 60_000;
    expect(pass(LOOK_MS, 1)).toBe(0);
    expect(pass(LOOK_MS + 10_000, 1)).toBe(10_000);
  });
});

test('an error while a loop is watched is told, and it is watched on', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const look = vi.spyOn(LoopWatch.prototype, 'look').mockReturnValue(7);
  const stalls: number[] = [];
  const told: unknown[] = [];
  const stop = watchLoop(
    (ms) => stalls.push(ms),
    (error) => told.push(error),
  );
  look.mockImplementationOnce(() => {
    throw new Error('at the look');
  });
  vi.advanceTimersByTime(3 * LOOK_MS);
  expect(told).toEqual([new Error('at the look')]);
  expect(stalls).toEqual([7, 7]);
  stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});
