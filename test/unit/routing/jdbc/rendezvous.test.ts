import fc from 'fast-check';
import { expect, test } from 'vitest';
import { murmur3, rendezvous } from '../../../../src/routing/jdbc/rendezvous.ts';

const [A, B] = ['broker-a:8082', 'broker-b:8082'];

// Checked against the public MurmurHash3 x64 128, and against the choices of a real Router.
test.each([
  [`${A}conn-1`, 7892826511020452100n],
  [`${B}conn-1`, 1875683135713434516n],
  [`${A}9f4b1c3e-0000-4000-8000-000000000001`, -4893768764023181541n],
  [`${B}9f4b1c3e-0000-4000-8000-000000000001`, 4927997626956885767n],
])('%s hashes as in the Router', (text, hash) => {
  expect(murmur3(Buffer.from(text))).toBe(hash);
});

test('the largest hash wins, signed', () => {
  expect(rendezvous('conn-1', [A, B])).toEqual([A, B]);
  expect(rendezvous('9f4b1c3e-0000-4000-8000-000000000001', [A, B])).toEqual([B, A]);
});

test('the order of the nodes does not matter, and who leaves changes nothing for the others', () => {
  const nodes = fc.uniqueArray(fc.domain(), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(fc.uuid(), nodes, fc.nat(), (key, names, at) => {
      const ranked = rendezvous(key, names);
      expect(rendezvous(key, names.toReversed())).toEqual(ranked);
      const gone = names[at % names.length] ?? '';
      const left = names.filter((name) => name !== gone);
      expect(rendezvous(key, left)).toEqual(ranked.filter((name) => name !== gone));
    }),
  );
});

test('connections are spread evenly', () => {
  const nodes = ['a:8082', 'b:8082', 'c:8082', 'd:8082'];
  const counts = new Map<string | undefined, number>();
  for (let i = 0; i < 4_000; i++) {
    const [first] = rendezvous(`connection-${i}`, nodes);
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  for (const node of nodes) expect(counts.get(node)).toBeGreaterThan(850);
});
