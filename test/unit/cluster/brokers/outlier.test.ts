import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterFailure,
  afterSuccess,
  ejected,
  ejectionMs,
  HEALTHY,
  type OutlierState,
  shouldEject,
} from '../../../../src/cluster/brokers/outlier.ts';
import { composePools, floorOf } from '../../../../src/cluster/brokers/pools.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';

const LIMITS = { failures: 5, ejectionMs: 10_000, maxEjectionMs: 300_000 };

test('an ejection is never shorter than the first or longer than the cap, and never shrinks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (n) => {
      const length = ejectionMs(n, LIMITS);
      expect(length).toBeGreaterThanOrEqual(10_000);
      expect(length).toBeLessThanOrEqual(300_000);
      expect(ejectionMs(n + 1, LIMITS)).toBeGreaterThanOrEqual(length);
    }),
  );
});

test('whatever happens, nobody is ejected before five failures in a row', () => {
  const events = fc.array(fc.record({ ok: fc.boolean(), after: fc.nat(20_000) }), { maxLength: 200 });
  fc.assert(
    fc.property(events, (list) => {
      let conduct: OutlierState = HEALTHY;
      let now = 0;
      let row = 0;
      for (const { ok, after } of list) {
        now += after;
        const out = now < conduct.until;
        conduct = ok ? afterSuccess(conduct, now, LIMITS) : afterFailure(conduct, now);
        if (!out) row = ok ? 0 : row + 1;
        expect(shouldEject(conduct, LIMITS)).toBe(row >= 5);
        if (row >= 5) {
          conduct = ejected(conduct, now, LIMITS);
          row = 0;
        }
      }
    }),
  );
});

test('ejections leave the floor, or everybody who is ready is in the pool', () => {
  const candidate = fc.record({ ready: fc.boolean(), ejected: fc.boolean(), cordoned: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(candidate, { maxLength: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (list, share) => {
        const candidates = list.map((c, i) => {
          const node = new UpstreamNode(`http://b${i}`);
          return { ...c, node, service: 'druid/broker' };
        });
        const pool = composePools(candidates, share).get('druid/broker') ?? [];
        const ready = candidates.filter((c) => c.ready && !c.cordoned);
        const behaving = ready.filter((c) => !c.ejected);
        if (ready.length === 0) expect(pool).toEqual([]);
        else expect(pool.length).toBeGreaterThanOrEqual(floorOf(ready.length, share));
        const fits = behaving.length >= floorOf(ready.length, share);
        expect(pool).toEqual((fits ? behaving : ready).map(({ node }) => node));
      },
    ),
  );
});
