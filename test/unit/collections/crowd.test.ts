import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Crowd, type Member, OUTSIDE } from '../../../src/collections/crowd.ts';
import { bytesLeft } from '../../kit/heap-program.ts';

const MODULE = new URL('../../../src/collections/crowd.ts', import.meta.url);

describe('Crowd', () => {
  it('has what a set would have, whoever comes and goes', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(7)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const members: readonly Member[] = Array.from({ length: 8 }, () => ({ place: OUTSIDE }));
        const crowd = new Crowd<Member>();
        const model = new Set<Member>();
        for (const [comes, i] of all) {
          const member = members[i] ?? { place: OUTSIDE };
          crowd[comes ? 'add' : 'delete'](member);
          model[comes ? 'add' : 'delete'](member);
          expect(crowd.size).toBe(model.size);
          expect(new Set(crowd)).toEqual(model);
          for (const one of members) expect(one.place !== OUTSIDE).toBe(model.has(one));
        }
      }),
    );
  });

  it('meets all that stay while others leave and come', () => {
    const leaving = fc.array(fc.array(fc.nat(9), { maxLength: 3 }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(leaving, (leave) => {
        const members = Array.from({ length: 10 }, (_, i) => ({ place: OUTSIDE, i }));
        const crowd = new Crowd<(typeof members)[number]>();
        for (const member of members) crowd.add(member);
        const met = new Set<number>();
        for (const { i, place } of crowd) {
          expect(place).not.toBe(OUTSIDE);
          met.add(i);
          for (const other of leave[i] ?? []) {
            const gone = members[other];
            if (gone !== undefined) crowd.delete(gone);
          }
          crowd.add({ place: OUTSIDE, i: 100 });
        }
        for (const { i } of crowd) if (i < 100) expect(met).toContain(i);
      }),
    );
  });

  /** Returns how many bytes are left of 96,000 members, of which 64 are in use, by a collection of the young generation. */
  function left(made: string): number {
    const setUp = `
      import { Crowd } from '${MODULE}';
      const crowd = ${made};
      const running = new Array(64).fill(null);
      function turn() {
        for (let i = 0; i < 64; i++) {
          if (running[i] !== null) crowd.delete(running[i]);
          running[i] = { place: -1, bytes: new Array(100).fill(i) };
          crowd.add(running[i]);
        }
      }
    `;
    return bytesLeft(setUp, 'for (let i = 0; i < 1500; i++) turn();');
  }

  it('does not keep those that have left', () => {
    expect(left('new Set()')).toBeGreaterThan(10e6);
    expect(left('new Crowd()')).toBeLessThan(5e6);
  });
});
