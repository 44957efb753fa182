import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainJson, plainText } from '../../../../src/cli/output/plain-text.ts';
import { layOutTable } from '../../../../src/cli/output/table.ts';
import { listIn, numberIn, shownDuration, textIn, valueIn } from '../../../../src/cli/output/values.ts';
import { styleFor } from '../../../../src/logs/style.ts';

const NO_STYLE = styleFor({}, {});
// biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal.
const ACTS = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]/;

test('text from outside cannot act on a terminal, whatever it is', () => {
  expect(plainText('\x1b]0;title\x07\x1b[2Ja\nb\u202ec\x9b')).toBe(
    '\\u001b]0;title\\u0007\\u001b[2Ja\\u000ab\\u202ec\\u009b',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
      const shown = plainText(text);
      expect(shown).not.toMatch(ACTS);
      expect(shown).not.toContain('\n');
      expect(plainJson({ [text]: text })).not.toMatch(ACTS);
      expect(JSON.parse(plainJson(text))).toBe(text);
      expect(layOutTable(['A', 'B'], [[text, text]], 80, NO_STYLE)).not.toMatch(ACTS);
    }),
  );
});

test('colours are for terminals only, and NO_COLOR is kept', () => {
  const terminal = { isTTY: true };
  expect(styleFor(terminal, {})('x', 'good')).toBe('\x1b[32mx\x1b[0m');
  expect(styleFor(terminal, {})('x', 'plain')).toBe('x');
  expect(styleFor(terminal, { NO_COLOR: '' })('x', 'bad')).toBe('\x1b[31mx\x1b[0m');
  for (const [stream, environment] of [
    [{}, {}],
    [{ isTTY: false }, {}],
    [terminal, { NO_COLOR: '1' }],
    [terminal, { TERM: 'dumb' }],
  ] as const) {
    expect(styleFor(stream, environment)('x', 'bad')).toBe('x');
  }
});

describe('a table', () => {
  test('has columns as wide as their widest cell, and cuts the last one where it would be too wide', () => {
    const rows = [
      ['a', 'b'.repeat(10), 'short'],
      ['aaaa', 'b', 'x'.repeat(100)],
    ];
    expect(layOutTable(['ONE', 'TWO', 'THREE'], rows, 40, NO_STYLE).split('\n')).toEqual([
      'ONE   TWO         THREE',
      `a     ${'b'.repeat(10)}  short`,
      `aaaa  b           ${'x'.repeat(21)}…`,
    ]);
  });

  test('leaves the last column some room on any terminal', () => {
    expect(layOutTable(['A', 'B'], [['a'.repeat(50), 'b'.repeat(50)]], 20, NO_STYLE)).toContain(
      'b'.repeat(11),
    );
  });

  test('is aligned with colours as it is without', () => {
    const style = styleFor({ isTTY: true }, {});
    const rows = [[{ text: 'good', tone: 'good' } as const, 'x']];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours.
    const bare = layOutTable(['STATE', 'X'], rows, 80, style).replaceAll(/\x1b\[\d+m/g, '');
    expect(bare).toBe(layOutTable(['STATE', 'X'], rows, 80, NO_STYLE));
  });
});

test.each([
  [null, '-'],
  [0, '0ms'],
  [999.6, '1s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [7_325_000, '2h 2m'],
  [90_000_000, '1d 1h'],
  [86_401_000, '1d'],
])('%s ms is shown as %s', (milliseconds, shown) => {
  expect(shownDuration(milliseconds)).toBe(shown);
});

test('values are read from any JSON without an error', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(fc.string(), { maxLength: 3 }), (value, keys) => {
      valueIn(value, ...keys);
      expect(Array.isArray(listIn(value, ...keys))).toBe(true);
      expect(typeof textIn(value, ...keys)).toBe('string');
      expect(['number', 'object']).toContain(typeof numberIn(value, ...keys));
    }),
  );
  expect(valueIn({ a: { b: 1 } }, 'a', 'b')).toBe(1);
  expect(valueIn({}, 'constructor')).toBeUndefined();
});
