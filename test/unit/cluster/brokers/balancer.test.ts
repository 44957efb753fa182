import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickBroker } from '../../../../src/cluster/brokers/balancer.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';

function node(outstanding: number, i = 0): UpstreamNode {
  const made = new UpstreamNode(`http://b${i}:8082`);
  made.recount(outstanding);
  return made;
}

const pools = fc
  .array(fc.nat(20), { minLength: 1, maxLength: 12 })
  .map((loads) => loads.map((load, i) => node(load, i)));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('nobody is picked from an empty pool', () => {
  expect(pickBroker([], Math.random)).toBeNull();
});

test('of two or more, the single busiest is never picked', () => {
  fc.assert(
    fc.property(pools, random, random, (pool, one, another) => {
      fc.pre(pool.length > 1);
      const busiest = Math.max(...pool.map((n) => n.outstanding));
      fc.pre(pool.filter((n) => n.outstanding === busiest).length === 1);
      const draws = [one, another];
      expect(pickBroker(pool, () => draws.shift() ?? 0)?.outstanding).toBeLessThan(busiest);
    }),
  );
});

test('a node that failed is picked only when there is no other', () => {
  fc.assert(
    fc.property(pools, fc.infiniteStream(random), fc.nat(), (pool, stream, bits) => {
      const excluded = new Set(pool.filter((_, i) => (bits >> i) & 1));
      const picked = pickBroker(pool, () => stream.next().value ?? 0, excluded);
      expect(picked).not.toBeNull();
      if (picked !== null && excluded.size < pool.length) expect(excluded.has(picked)).toBe(false);
    }),
  );
});

test('equal Brokers get equal shares', () => {
  const pool = [node(0, 0), node(0, 1), node(0, 2), node(0, 3)];
  const counts = new Map<string, number>();
  for (let i = 0; i < 8_000; i++) {
    const picked = pickBroker(pool, Math.random);
    if (picked !== null) counts.set(picked.origin, (counts.get(picked.origin) ?? 0) + 1);
  }
  for (const one of pool) expect(counts.get(one.origin)).toBeGreaterThan(1_700);
});

test('one with half a share gets about half of what it would', () => {
  const pool = [node(0, 0), node(0, 1), node(0, 2), node(0, 3)];
  pool[3]?.takeShare(0.5);
  let picks = 0;
  for (let i = 0; i < 8_000; i++) if (pickBroker(pool, Math.random) === pool[3]) picks++;
  expect(picks).toBeGreaterThan(700);
  expect(picks).toBeLessThan(1_300);
});

test('nobody is given more than the limit, and somebody is found as long as there is room', () => {
  fc.assert(
    fc.property(pools, fc.infiniteStream(random), fc.integer({ min: 1, max: 20 }), (pool, stream, limit) => {
      const picked = pickBroker(pool, () => stream.next().value ?? 0, new Set(), limit);
      const room = pool.some((n) => n.outstanding < limit);
      expect(picked === null).toBe(!room);
      if (picked !== null) expect(picked.outstanding).toBeLessThan(limit);
    }),
  );
});
