import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectionIdOf } from '../../../src/routing/jdbc/connection-id.ts';
import { jsonFields, parsedField } from '../../../src/routing/json-fields.ts';
import { traitsOf } from '../../../src/routing/tiers/query-traits.ts';
import { intervalsOf } from '../../../src/time/intervals.ts';

const MiB = 1024 * 1024;

describe('members of a JSON object', () => {
  test('are what JSON.parse has for them, whatever else is there', () => {
    const name = fc.oneof(
      fc.constantFrom('a', 'b', '__proto__', 'constructor', 'a"b', '\\', 'ü'),
      fc.string(),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.jsonValue())),
        fc.constantFrom(0, 2, '\t'),
        (members, indent) => {
          const given = Object.fromEntries(members);
          const fields = jsonFields(Buffer.from(JSON.stringify(given, null, indent)), [
            'a',
            'b',
            '__proto__',
            'ü',
          ]);
          for (const each of ['a', 'b', '__proto__', 'ü'] as const) {
            const wanted = Object.hasOwn(given, each) ? given[each] : undefined;
            const found = fields === null ? undefined : fields[each];
            expect(parsedField(found, MiB)).toEqual(
              wanted === undefined ? undefined : JSON.parse(JSON.stringify(wanted)),
            );
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ['{"a":1,"a":2}', 2],
    ['{"\\u0061":3}', 3],
    ['{"x":"\\\\\\"","a":"}"}', '}'],
    [' { "x" : [ {"a":1} , "a" ] , "a" : [ 1 ] } ', [1]],
  ])('%s', (text, value) => {
    expect(parsedField(jsonFields(Buffer.from(text), ['a'])?.a, 100)).toEqual(value);
  });

  test.each([
    '',
    ' ',
    '[]',
    '"a"',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a":1}x',
    '{a:1}',
  ])('are none in %j', (text) => expect(jsonFields(Buffer.from(text), ['a'])).toBeNull());
});

/** Milliseconds of the quickest of a few runs: the machine is slow in the others. */
function quickest(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    run();
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

describe('a small body that says much costs little', () => {
  const intervals = Array.from({ length: 40_000 }, () => '2024-01-01/2024-01-02');
  const query = (others: object): Buffer =>
    gzipSync(JSON.stringify({ queryType: 'scan', dataSource: 't', context: { priority: 7 }, ...others }));
  const parsing = (body: string): number => quickest(() => JSON.parse(body));

  test('intervals beyond a thousand are not read, and no other part of the query is lost by them', () => {
    const traits = traitsOf('native', query({ intervals }), null, MiB);
    expect(traits).toMatchObject({
      queryType: 'scan',
      datasources: ['t'],
      context: { priority: 7 },
      intervals: null,
    });
    expect(intervalsOf(intervals.slice(0, 1_000))).toHaveLength(1_000);
    expect(intervalsOf(intervals.slice(0, 1_001))).toBeNull();
    expect(intervalsOf(intervals.join(','))).toBeNull();
    expect(intervalsOf({ segments: intervals.map((itvl) => ({ itvl })) })).toBeNull();
  });

  test.each<[string, object]>([
    ['intervals', { intervals }],
    ['short intervals', { intervals: Array.from({ length: 90_000 }, () => '2024/P1D') }],
    ['a filter of lists', { filter: Array.from({ length: 120_000 }, () => [[], {}]) }],
    ['a datasource of unions', { dataSource: { type: 'union', dataSources: Array(100_000).fill('a') } }],
    [
      'a context of many keys',
      { context: Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, i])) },
    ],
    ['depth', { filter: Array(800).fill(JSON.parse('['.repeat(500) + ']'.repeat(500))) }],
    ['quotes and backslashes', { filter: '\\"'.repeat(200_000) }],
  ])('%s: not more than some times what parsing the text alone would take', (_, others) => {
    const body = query(others);
    const text = JSON.stringify({ queryType: 'scan', ...others });
    const took = quickest(() => traitsOf('native', body, null, MiB));
    expect(took).toBeLessThan(4 * Math.max(parsing(text), 10));
  });

  test('a connection’s id is found in a megabyte of parameters, wherever it stands', () => {
    const row = [
      { type: 'STRING', value: 'x"\\' },
      { type: 'LONG', value: 1 },
    ];
    const rows = Array.from({ length: 14_000 }, () => row);
    for (const body of [
      { request: 'executeBatch', connectionId: 'c', parameterValues: rows },
      { request: 'executeBatch', parameterValues: rows, connectionId: 'c' },
      { request: 'execute', statementHandle: { signature: rows, connectionId: 'c' }, parameterValues: [] },
    ]) {
      const text = JSON.stringify(body);
      const bytes = Buffer.from(text);
      expect(connectionIdOf('/druid/v2/sql/avatica/', bytes, null)).toBe('c');
      const took = quickest(() => connectionIdOf('/druid/v2/sql/avatica/', bytes, null));
      expect(took).toBeLessThan(4 * Math.max(parsing(text), 10));
    }
  });
});
