import { expect, test } from 'vitest';
import { BodyReading } from '../../../../src/exchange/forward/body-reading.ts';
import type { BodyLimits } from '../../../../src/exchange/limits/body-limits.ts';

const SOURCE = { whole: null, deliver() {}, pause() {}, resume() {} };

/** A body that is read by a clock of the test's own. */
function begin(own: { readonly idleTimeoutMs?: number; readonly minRate?: number; full?: boolean }) {
  const world = { now: 0, full: own.full ?? false, faults: [] as string[] };
  const limits: BodyLimits = {
    options: { maxWaitMs: 1_000, idleTimeoutMs: 0, minRate: 0, ...own, now: () => world.now },
    used: 0,
    get full() {
      return world.full;
    },
    hold() {},
    release() {},
    watch() {},
    unwatch() {},
    setLimits() {},
  };
  const reading = new BodyReading(SOURCE, limits, {
    onBodyFault: (fault) => void world.faults.push(fault),
    onInternalError: (error) => void world.faults.push(String(error)),
  });
  return {
    reading,
    world,
    passes(ms: number) {
      for (const end = world.now + ms; world.now < end; ) {
        world.now += 50;
        reading.look(world.now, !world.full);
      }
    },
  };
}

test('a client that keeps to the least rate is not slow, however long it takes', () => {
  const { reading, world, passes } = begin({ idleTimeoutMs: 15_000, minRate: 500 });
  reading.read(true);
  for (let i = 0; i < 600; i++) {
    reading.came(600);
    passes(1_000);
  }
  expect(world.faults).toEqual([]);
});

test('a client that stays below it is slow, though a piece comes each second and much came at first', () => {
  const { reading, world, passes } = begin({ idleTimeoutMs: 15_000, minRate: 500 });
  reading.read(true);
  reading.came(1_000_000);
  for (let i = 0; i < 40; i++) {
    passes(1_000);
    reading.came(100);
  }
  expect(world.faults).toEqual(['slow']);
});

test('while the node is the slow one, neither clock runs', () => {
  const { reading, world, passes } = begin({ idleTimeoutMs: 100, minRate: 500 });
  reading.read(false);
  for (let i = 0; i < 40; i++) {
    reading.came(1_000);
    reading.stop();
    passes(60_000);
    reading.read(false);
  }
  expect(world.faults).toEqual([]);
});

test('silence has a limit, also that of a client that was quick before', () => {
  const { reading, world, passes } = begin({ idleTimeoutMs: 15_000 });
  reading.read(true);
  passes(14_000);
  reading.came(1);
  passes(14_000);
  expect(world.faults).toEqual([]);
  passes(2_000);
  expect(world.faults).toEqual(['slow']);
});

test('what waits for memory waits as long as it may, and its client is not the slow one', () => {
  const { reading, world, passes } = begin({ idleTimeoutMs: 100, full: true });
  reading.read(true);
  passes(900);
  expect(world.faults).toEqual([]);
  passes(200);
  expect(world.faults).toEqual(['starved']);
});
