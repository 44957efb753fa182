import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRules, parseRulesInSteps, tiersFor } from '../../../../src/routing/tiers/load-rules.ts';
import {
  ETERNITY,
  intervalsOf,
  overlaps,
  parseInterval,
  parsePeriod,
  shifted,
} from '../../../../src/time/intervals.ts';

const at = (text: string): number => Date.parse(text);

describe('intervals', () => {
  test.each([
    ['2024-01-01/2024-02-01', '2024-01-01T00:00Z', '2024-02-01T00:00Z'],
    ['2024/2025', '2024-01-01T00:00Z', '2025-01-01T00:00Z'],
    ['2024-01-01T05/2024-01-01T06:30', '2024-01-01T05:00Z', '2024-01-01T06:30Z'],
    ['2024-01-01T00:00:00.123Z/P1D', '2024-01-01T00:00:00.123Z', '2024-01-02T00:00:00.123Z'],
    ['2024-01-01T00:00:00+02:00/PT1H', '2023-12-31T22:00Z', '2023-12-31T23:00Z'],
    ['P1M/2024-03-31', '2024-02-29T00:00Z', '2024-03-31T00:00Z'],
    ['P1W/2024-01-08T00:00:00-01', '2024-01-01T01:00Z', '2024-01-08T01:00Z'],
  ])('%s is from %s to %s', (text, start, end) => {
    expect(parseInterval(text)).toEqual({ start: at(start), end: at(end) });
  });

  test("Druid's eternity is all of time", () => {
    const text = '-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z';
    expect(parseInterval(text)).toEqual(ETERNITY);
  });

  test.each(['', '2024', '2024/2023', 'P1D/P1D', 'yesterday/today', '2024/2025/2026', 'NaN/Infinity'])(
    '%j is none',
    (text) => {
      expect(parseInterval(text)).toBeNull();
    },
  );

  test.each<[string, unknown, number | null]>([
    ['a text', '2024/2025', 1],
    ['a text with several', '2024/2025,2026/2027', 2],
    ['a list', ['2024/2025', '2026/P1D'], 2],
    ['a spec', { type: 'intervals', intervals: ['2024/2025'] }, 1],
    ['segments', { type: 'segments', segments: [{ itvl: '2024/2025', ver: 'v', part: 0 }] }, 1],
    ['nothing', undefined, 1],
    ['a list with something else', ['2024/2025', 7], null],
    ['a number', 7, null],
    ['segments of nothing', { segments: [null] }, null],
    ['a spec that is none', { intervals: { intervals: [] } }, null],
  ])('are read from %s', (_, value, count) => {
    expect(intervalsOf(value)?.length ?? null).toBe(count);
  });

  test('what is written in ISO is read back, whatever comes never throws', () => {
    const times = fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-01-01') });
    fc.assert(
      fc.property(times, times, (a, b) => {
        const [start, end] = a <= b ? [a, b] : [b, a];
        expect(parseInterval(`${start.toISOString()}/${end.toISOString()}`)).toEqual({
          start: start.getTime(),
          end: end.getTime(),
        });
      }),
    );
    fc.assert(fc.property(fc.anything(), (value) => void intervalsOf(value)));
  });

  test('a month back ends at the last day of a shorter one', () => {
    const month = parsePeriod('P1M');
    if (month === null) throw new Error('P1M is a period');
    expect(shifted(at('2024-03-31T12:00Z'), month, -1)).toBe(at('2024-02-29T12:00Z'));
    expect(shifted(at('2024-01-15T12:00Z'), month, -1)).toBe(at('2023-12-15T12:00Z'));
    expect(parsePeriod('PT1H30M')).toMatchObject({ milliseconds: 5_400_000 });
    expect(parsePeriod('PT0.25S')).toMatchObject({ milliseconds: 250 });
    expect(parsePeriod('1h')).toBeNull();
  });

  test('those that only touch do not overlap', () => {
    expect(overlaps({ start: 0, end: 1 }, { start: 1, end: 2 })).toBe(false);
    expect(overlaps({ start: 0, end: 2 }, { start: 1, end: 3 })).toBe(true);
  });
});

describe('load rules', () => {
  const NOW = at('2024-06-15T00:00Z');
  const hot = { hot: 2 };
  const cold = { cold: 1 };

  function tiers(
    rules: object,
    intervals: readonly string[],
    datasource: string | null = 'wiki',
  ): string[] | null {
    const book = parseRules(rules);
    const parsed = intervalsOf(intervals);
    if (book === null || parsed === null) throw new Error('the rules or intervals cannot be read');
    const found = tiersFor(book, datasource ?? undefined, parsed, { defaultRule: '_default', now: NOW });
    return found === null ? null : [...found];
  }

  const month = { type: 'loadByPeriod', period: 'P1M', tieredReplicants: hot };
  const year = { type: 'loadByPeriod', period: 'P1Y', tieredReplicants: cold };
  const forever = { type: 'loadForever', tieredReplicants: { archive: 1 } };

  test.each<[string, unknown[], string[], string[] | null]>([
    ['within the period', [month, forever], ['2024-06-01/2024-06-02'], ['hot']],
    [
      'that begins before the period and reaches into it',
      [month, forever],
      ['2024-01-01/2024-06-02'],
      ['hot'],
    ],
    ['before the period', [month, forever], ['2024-01-01/2024-02-01'], ['archive']],
    ['that ends where the period begins', [month, forever], ['2024-05-01/2024-05-15'], ['archive']],
    ['in the future, which is included', [month, forever], ['2030-01-01/2030-02-01'], ['hot']],
    [
      'in the future, which is not included',
      [{ ...month, includeFuture: false }, forever],
      ['2030-01-01/2030-02-01'],
      ['archive'],
    ],
    [
      'in the period, the future not included',
      [{ ...month, includeFuture: false }],
      ['2024-06-01/P1D'],
      ['hot'],
    ],
    [
      'in an interval',
      [{ type: 'loadByInterval', interval: '2023/2024', tieredReplicants: cold }, forever],
      ['2023-05-01/2025-01-01'],
      ['cold'],
    ],
    [
      'outside of an interval',
      [{ type: 'loadByInterval', interval: '2023/2024', tieredReplicants: cold }],
      ['2024/2025'],
      null,
    ],
    [
      'of two times, one of them in the period',
      [month, year, forever],
      ['2024-01-01/P1D', '2024-06-01/P1D'],
      ['cold'],
    ],
    [
      'of two times, both in the period',
      [month, year, forever],
      ['2024-06-01/P1D', '2024-06-05/P1D'],
      ['hot'],
    ],
    ['behind a rule that drops', [{ type: 'dropForever' }, forever], ['2024/2025'], ['archive']],
    [
      'with rules that are not known',
      [{ type: 'loadByMagic' }, 7, null, forever],
      ['2024/2025'],
      ['archive'],
    ],
    ['without replicants given', [{ type: 'loadForever' }], ['2024/2025'], ['_default_tier']],
    ['without a tier', [{ type: 'loadForever', tieredReplicants: {} }, forever], ['2024/2025'], []],
  ])('a query %s', (_, rules, intervals, expected) => {
    expect(tiers({ wiki: rules, _default: [] }, intervals)).toEqual(expected);
  });

  test("the default rules come after the datasource's own, and are those of every other", () => {
    const rules = { wiki: [month], _default: [forever], other: [month] };
    expect(tiers(rules, ['2020/2021'])).toEqual(['archive']);
    expect(tiers(rules, ['2024-06-01/P1D'], 'unknown')).toEqual(['archive']);
    expect(tiers(rules, ['2024-06-01/P1D'], null)).toEqual(['archive']);
    expect(tiers({ wiki: [month] }, ['2020/2021'])).toBeNull();
  });

  test.each([[null], ['rules'], [[]], [{ wiki: 'rules' }]])('%j are none', (answer) => {
    expect(parseRules(answer)).toBeNull();
  });
});

test('rules of very many datasources are read in steps', () => {
  const rule = { type: 'loadByPeriod', period: 'P1M', tieredReplicants: { hot: 1 } };
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`d${i}`, [rule]]));
  for (const answer of [many, { one: Array(20_000).fill(rule) }]) {
    const steps = parseRulesInSteps(answer);
    let count = 1;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) count++;
    expect(count).toBeGreaterThan(30);
    expect(step.value?.size).toBe(Object.keys(answer).length);
  }
});

test.each(['Forever', 'ByInterval', 'ByPeriod'])(
  'a partial rule (Druid 38) loads where the whole one would: %s',
  (kind) => {
    const rest = { interval: '2024/2025', period: 'P1Y', tieredReplicants: { hot: 1 } };
    const partial = { matcher: { type: 'wildcard', patterns: ['a*'] }, onCannotMatch: 'skip' };
    const choose = (rule: object, asked: string): ReadonlySet<string> | null => {
      const book = parseRules({ t: [rule], _default: [] });
      const options = { defaultRule: '_default', now: at('2024-06-01') };
      return book === null ? null : tiersFor(book, 't', intervalsOf(asked) ?? [], options);
    };
    for (const asked of ['2024-03-01/P1D', '2019-03-01/P1D']) {
      const whole = choose({ type: `load${kind}`, ...rest }, asked);
      expect(choose({ type: `loadPartial${kind}`, ...rest, ...partial }, asked)).toEqual(whole);
      if (asked.startsWith('2024')) expect(whole).toEqual(new Set(['hot']));
    }
  },
);
