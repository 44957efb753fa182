import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Books,
  type Entry,
  isClean,
  judge,
  type Kind,
  longestGap,
  type Outcome,
  type Row,
} from '../../../demo/chaos/ledger.ts';

const WINDOW = { what: 'broker-1 killed', from: 0, to: 1_000 };

function write(kind: Kind, outcome: Outcome, key: string): Entry {
  return { kind, sent: 10, ended: 20, outcome, key };
}

function rowOf(entries: readonly Entry[], books: Books | null): Row {
  const [row] = judge(entries, [WINDOW], books);
  if (row === undefined) throw new Error('there is no row');
  return row;
}

describe('what became of a write', () => {
  test.each<[string, Outcome, Books, Partial<Row>]>([
    ['acknowledged and there once', 'ok', new Map([['k', { times: 1 }]]), { lost: 0, doubled: 0 }],
    ['acknowledged and not there', 'ok', new Map([['k', { times: 0 }]]), { lost: 1, doubled: 0 }],
    ['acknowledged and unknown to the books', 'ok', new Map(), { lost: 1, doubled: 0 }],
    ['acknowledged and there in part', 'ok', new Map([['k', { times: 0.5 }]]), { lost: 1, doubled: 0 }],
    ['acknowledged and there twice', 'ok', new Map([['k', { times: 2 }]]), { lost: 0, doubled: 1 }],
    ['there once and a half', 'ok', new Map([['k', { times: 1.5 }]]), { lost: 0, doubled: 1 }],
    [
      'accepted as a task that failed',
      'ok',
      new Map([['k', { times: 0, failed: true }]]),
      { lost: 0, doubled: 0, tasksFailed: 1 },
    ],
    [
      'accepted as a task that failed, and there twice',
      'ok',
      new Map([['k', { times: 2, failed: true }]]),
      { lost: 0, doubled: 1, tasksFailed: 1 },
    ],
    [
      'of unknown fate and not there',
      'unknown',
      new Map([['k', { times: 0 }]]),
      { unknown: 1, unknownDone: 0, lost: 0, doubled: 0 },
    ],
    [
      'of unknown fate and there',
      'unknown',
      new Map([['k', { times: 1 }]]),
      { unknown: 1, unknownDone: 1, lost: 0, doubled: 0 },
    ],
    [
      'of unknown fate and there twice',
      'unknown',
      new Map([['k', { times: 2 }]]),
      { unknown: 1, unknownDone: 1, lost: 0, doubled: 1 },
    ],
    [
      'refused and not there',
      'refused',
      new Map([['k', { times: 0 }]]),
      { refused: 1, failed: 0, lost: 0, doubled: 0 },
    ],
    ['refused and there all the same', 'refused', new Map([['k', { times: 1 }]]), { refused: 1, doubled: 1 }],
  ])('%s', (_, outcome, books, expected) => {
    expect(rowOf([write('rows', outcome, 'k')], books)).toMatchObject(expected);
  });

  test('is not known where nobody looked', () => {
    const row = rowOf([write('task', 'ok', 'a'), write('task', 'unknown', 'b')], null);
    expect(row).toMatchObject({
      unknown: 1,
      unknownDone: null,
      lost: null,
      doubled: null,
      tasksFailed: null,
    });
    expect(isClean([row])).toBe(true);
  });
});

test('a read is never lost, and a wrong answer is no success', () => {
  const entries: Entry[] = [
    { kind: 'query', sent: 100, ended: 110, outcome: 'ok' },
    { kind: 'query', sent: 200, ended: 210, outcome: 'wrong', detail: '[]' },
    { kind: 'query', sent: 300, ended: 310, outcome: 'refused', detail: '503 no_ready_broker' },
    { kind: 'query', sent: 400, ended: 410, outcome: 'ok' },
  ];
  const row = rowOf(entries, new Map());
  expect(row).toMatchObject({ requests: 4, failed: 1, wrong: 1, lost: 0, doubled: 0 });
  // From the last success to the window's end.
  expect(row.gaps.query).toBe(590);
  expect(row.slowest).toBe(10);
  expect([...row.details.keys()]).toEqual(['query wrong: []', 'query refused: 503 no_ready_broker']);
  expect(isClean([row])).toBe(false);
});

test('a request belongs to the window in which it ended, and none is left out', () => {
  const windows = [
    { what: 'first', from: 0, to: 100 },
    { what: 'second', from: 150, to: 200 },
  ];
  const ends = [-5, 99, 120, 150, 199, 5_000];
  const entries = ends.map(
    (ended, i): Entry => ({ kind: 'task', sent: ended - 20, ended, outcome: 'ok', key: String(i) }),
  );
  const rows = judge(entries, windows, new Map());
  expect(rows.map(({ what, lost }) => [what, lost])).toEqual([
    ['first', 3],
    ['second', 3],
  ]);
});

test('the longest gap is between two successes that are next to each other, within the window', () => {
  expect(longestGap([-500, 400, 450, 700, 1_700], { from: 0, to: 1_000 })).toBe(400);
  expect(longestGap([-500, -100, 1_200, 9_000], { from: 0, to: 1_000 })).toBe(1_000);
  expect(longestGap([], { from: 0, to: 1_000 })).toBe(1_000);
  expect(longestGap([250], { from: 0, to: 1_000 })).toBe(750);
  expect(longestGap([0, 1_000], { from: 0, to: 1_000 })).toBe(1_000);
});

test('a gap is one between all that succeeded in the window, or from one of its edges', () => {
  const times = fc.array(fc.integer({ min: -5_000, max: 15_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(times, (unordered) => {
      const ordered = unordered.toSorted((a, b) => a - b);
      const inside = [0, ...ordered.filter((time) => time > 0 && time < 10_000), 10_000];
      const gaps = inside.slice(1).map((time, i) => time - (inside[i] ?? 0));
      expect(longestGap(ordered, { from: 0, to: 10_000 })).toBe(Math.max(...gaps));
    }),
  );
});

test('however the books are, each write is lost, there, doubled or failed, and nothing is counted twice', () => {
  const outcome = fc.constantFrom<Outcome>('ok', 'refused', 'unknown');
  const found = fc.option(fc.record({ times: fc.constantFrom(0, 0.5, 1, 1.5, 2, 3), failed: fc.boolean() }));
  fc.assert(
    fc.property(fc.array(fc.tuple(outcome, found)), (list) => {
      const entries = list.map(([one], i) => write('task', one, String(i)));
      const books: Books = new Map(
        list.flatMap(([, one], i) => (one === null ? [] : [[String(i), one] as const])),
      );
      const row = rowOf(entries, books);
      const acknowledged = entries.filter((entry) => entry.outcome === 'ok').length;
      const done = list.filter(([one, times]) => one === 'ok' && times !== null && times.times >= 1).length;
      const failed = list.filter(
        ([one, times]) => one === 'ok' && times !== null && times.times < 1 && times.failed,
      ).length;
      expect(row.lost).toBe(acknowledged - done - failed);
      expect(row.unknownDone).toBeLessThanOrEqual(row.unknown);
      expect((row.doubled ?? 0) + (row.lost ?? 0)).toBeLessThanOrEqual(row.requests);
    }),
  );
});
