import { expect, test } from 'vitest';
import { check, type Entry, growth } from '../../soak/history.ts';

const write = (status: number, name = 'w'): Entry => ({ kind: 'write', name, status, ms: 1 });

test('a write carried out twice, or confirmed and lost, is found', () => {
  expect(check([write(200)], new Map([['w', ['a']]])).violations).toEqual([]);
  expect(check([write(0)], new Map()).violations).toEqual([]);
  expect(check([write(0)], new Map([['w', ['a', 'b']]])).violations).toEqual(['w was carried out 2 times']);
  expect(check([write(200)], new Map()).violations).toEqual(['w was confirmed and is lost']);
});

test('an answer that is cut and ends cleanly is found, unless it says so itself', () => {
  const stream = (rows: number, saidIncomplete: boolean): Entry => ({
    kind: 'stream',
    status: 200,
    rows,
    wanted: 10,
    saidIncomplete,
    ms: 1,
  });
  const wrong = check([stream(10, false), stream(9, false), stream(9, true)], new Map()).violations;
  expect(wrong).toEqual(['an answer of 9 of 10 rows ended cleanly']);
});

test('errors have a status and a reason that are the truth', () => {
  const read = (status: number, reason?: string): Entry => ({
    kind: 'read',
    status,
    ms: 1,
    ...(reason === undefined ? {} : { reason }),
  });
  const { violations, summary } = check([read(503, 'no_leader'), read(503), read(307), read(0)], new Map());
  expect(violations).toEqual(['a read was answered with 503 and no reason', 'a read was answered with 307']);
  expect(summary['read: 503 no_leader']).toBe(1);
});

test('growth is found', () => {
  const early = { rssBytes: 100e6, handles: 20, watches: 5 };
  expect(growth(early, { rssBytes: 140e6, handles: 30, watches: 5 })).toEqual([]);
  expect(growth(early, { rssBytes: 400e6, handles: 90, watches: 6 }).length).toBe(3);
});
