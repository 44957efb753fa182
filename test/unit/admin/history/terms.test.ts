import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MOST_TERMS, Terms } from '../../../../src/admin/history/terms.ts';
import type { LeaderView } from '../../../../src/cluster/view.ts';
import { leaderless, node, serving } from '../fakes.ts';

const A = node('10.0.0.1:8081');
const B = node('10.0.0.2:8081');

const leads = (leader: typeof A, term: number | null, since: number): LeaderView =>
  serving('coordinator', leader, term, since);
const nobody = (since: number): LeaderView => ({ ...leaderless('coordinator'), since });
const elected = (leader: typeof A, term: number | null, since: number): LeaderView => ({
  role: 'coordinator',
  state: 'elected',
  node: leader,
  term,
  knownBy: 'latch',
  since,
  waitReason: 'leader_initialising',
});
const at = (time: number): string => new Date(time).toISOString();

function observed(...views: readonly LeaderView[]): Terms {
  const terms = new Terms();
  for (const view of views) terms.observe(view);
  return terms;
}

test('a term begins when its node is first seen serving, and what was before the first one is unknown', () => {
  expect(observed(nobody(0), elected(A, 7, 5_000), leads(A, 7, 6_000)).all).toEqual([
    {
      role: 'coordinator',
      node: '10.0.0.1:8081',
      term: 7,
      from: at(6_000),
      to: null,
      gapMs: null,
      waited: 0,
      failed: 0,
      knownBy: 'both',
    },
  ]);
});

test('the gap is from the last moment that a leader served to the first that the next one does', () => {
  const terms = observed(leads(A, 1, 1_000), elected(A, 1, 9_000), nobody(10_000), elected(B, 2, 11_000));
  expect(terms.all).toMatchObject([{ node: A.hostAndPort, to: at(9_000) }]);
  terms.observe(leads(B, 2, 12_500));
  expect(terms.all).toMatchObject([
    { node: A.hostAndPort, from: at(1_000), to: at(9_000) },
    { node: B.hostAndPort, from: at(12_500), to: null, gapMs: 3_500 },
  ]);
});

test('a leader that is doubted for a moment goes on with its term, one that is elected again begins another', () => {
  const terms = observed(leads(A, 1, 1_000));
  expect(terms.observe(elected(A, 1, 2_000))).toEqual([]);
  expect(terms.all).toMatchObject([{ to: null }]);
  expect(terms.observe(leads(A, 1, 2_050))).toEqual([]);
  expect(terms.all).toMatchObject([{ from: at(1_000), to: null }]);
  terms.observe(leads(A, 2, 3_000));
  expect(terms.all).toMatchObject([
    { term: 1, to: at(3_000) },
    { term: 2, from: at(3_000), gapMs: 0 },
  ]);
});

test('a leader whose latch is only learnt of later, or out of sight, goes on with its term', () => {
  const terms = observed(
    leads(A, null, 1_000),
    leads(A, 5, 2_000),
    leads(A, null, 3_000),
    leads(A, 5, 4_000),
  );
  expect(terms.all).toMatchObject([{ term: 5, from: at(1_000), to: null }]);
  expect(terms.all).toHaveLength(1);
});

test('after nobody led, the same election goes on; without a latch it is another term', () => {
  expect(observed(leads(A, 1, 0), nobody(10), leads(A, 1, 20)).all).toHaveLength(1);
  expect(observed(leads(A, null, 0), nobody(10), leads(A, null, 20)).all).toMatchObject([
    { to: at(10) },
    { gapMs: 10 },
  ]);
});

test('tells which terms begin and end', () => {
  const terms = new Terms();
  expect(terms.observe(leads(A, 1, 0))).toMatchObject([{ node: A.hostAndPort, to: null }]);
  expect(terms.observe(leads(A, 1, 0))).toEqual([]);
  expect(terms.observe(leads(B, 2, 5))).toMatchObject([
    { node: A.hostAndPort, to: at(5) },
    { node: B.hostAndPort, to: null },
  ]);
  expect(terms.observe(nobody(9))).toMatchObject([{ node: B.hostAndPort, to: at(9) }]);
  expect(terms.observe(nobody(9))).toEqual([]);
});

describe('requests that waited', () => {
  const waits = (leaderlessSince: number, waited: number, failed = 0) =>
    ({ role: 'coordinator', leaderlessSince, waited, failed }) as const;

  test('count for the term that ended their wait, whether they end before or after it begins', () => {
    const terms = observed(leads(A, 1, 0), nobody(10_000));
    terms.count(waits(10_000, 2, 2));
    terms.observe(elected(B, 2, 12_000));
    terms.count(waits(12_000, 1, 1));
    terms.observe(leads(B, 2, 13_000));
    terms.count(waits(12_000, 5, 1));
    expect(terms.all).toMatchObject([
      { waited: 0, failed: 0 },
      { waited: 8, failed: 4 },
    ]);
  });

  test('count for their own gap, not for a later one', () => {
    const terms = observed(leads(A, 1, 0), nobody(10_000), leads(B, 2, 20_000), nobody(30_000));
    terms.count(waits(10_000, 3));
    terms.observe(leads(A, 3, 40_000));
    expect(terms.all.map(({ waited }) => waited)).toEqual([0, 3, 0]);
  });

  test('count for the first term if they came before any', () => {
    const terms = observed(nobody(0));
    terms.count(waits(0, 4));
    terms.observe(leads(A, 1, 5_000));
    terms.count(waits(0, 1));
    expect(terms.all).toMatchObject([{ waited: 5 }]);
  });

  test('are dropped if the term went on', () => {
    const terms = observed(leads(A, 1, 0), elected(A, 1, 10_000));
    terms.count(waits(10_000, 3));
    terms.observe(leads(A, 1, 10_500));
    terms.count(waits(10_000, 3));
    expect(terms.all).toMatchObject([{ waited: 0 }]);
    terms.observe(nobody(20_000));
    terms.observe(leads(B, 2, 21_000));
    expect(terms.all).toMatchObject([{ waited: 0 }, { waited: 0 }]);
  });
});

test('of an earlier run, the last term goes on if its election does; else the gap is unknown', () => {
  const before = observed(leads(A, 1, 1_000)).all.map((term) => ({ ...term, to: at(5_000) }));
  const same = new Terms(before);
  same.observe(nobody(50_000));
  same.observe(leads(A, 1, 60_000));
  expect(same.all).toMatchObject([{ from: at(1_000), to: null }]);
  const other = new Terms(before);
  other.observe(leads(B, 2, 60_000));
  expect(other.all).toMatchObject([{ to: at(5_000) }, { from: at(60_000), gapMs: null }]);
});

test('whatever comes, terms of a role are bounded, in order, do not overlap, and only the last is open', () => {
  const step = fc.record({
    kind: fc.constantFrom('serves', 'elected', 'nobody'),
    node: fc.constantFrom(A, B),
    term: fc.option(fc.integer({ min: 1, max: 3 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const terms = new Terms();
      steps.forEach(({ kind, node, term }, i) => {
        if (kind === 'serves') terms.observe(leads(node, term, i));
        else terms.observe(kind === 'elected' ? elected(node, term, i) : nobody(i));
      });
      const all = terms.all;
      all.forEach(({ from, to, gapMs }, i) => {
        const next = all[i + 1];
        if (next !== undefined) {
          expect(to).not.toBeNull();
          expect(next.gapMs).toBe(Date.parse(next.from) - Date.parse(to ?? ''));
        }
        expect(Date.parse(to ?? at(1e9))).toBeGreaterThanOrEqual(Date.parse(from));
        expect(gapMs ?? 0).toBeGreaterThanOrEqual(0);
      });
    }),
  );
  const many = new Terms();
  for (let i = 0; i < 2 * MOST_TERMS; i++) many.observe(leads(A, i, i));
  expect(many.all).toHaveLength(MOST_TERMS);
  expect(many.all.at(-1)).toMatchObject({ term: 2 * MOST_TERMS - 1 });
});
