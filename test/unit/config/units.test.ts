import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/units.ts';

const amount = fc.integer({ min: 0, max: 2 ** 40 });

test('a duration or size that is written out is read back', () => {
  fc.assert(
    fc.property(amount, (n) => {
      expect(parseDuration(formatDuration(n))).toBe(n);
      expect(parseSize(formatSize(n))).toBe(n);
    }),
  );
});

test('units multiply, and a bare number is milliseconds or bytes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), (n) => {
      const durations = ['', 'ms', 's', 'm', 'h'].map((unit) => parseDuration(`${n}${unit}`));
      expect(durations).toEqual([n, n, n * 1_000, n * 60_000, n * 3_600_000]);
      const sizes = ['', 'B', 'KiB', 'MiB', 'GiB'].map((unit) => parseSize(`${n}${unit}`));
      expect(sizes).toEqual([n, n, n * 2 ** 10, n * 2 ** 20, n * 2 ** 30]);
    }),
  );
});

test.each(['', ' ', 's', '-1s', '1.5s', '1d', '1S', '1 s s', '1e3', '1constructor', '1toString'])(
  '"%s" is no duration and no size',
  (text) => {
    expect([parseDuration(text), parseSize(text)]).toEqual([null, null]);
  },
);

test('the shortest spelling in whole units', () => {
  expect([90_000, 120_000, 3_600_000, 1_500, 0].map(formatDuration)).toEqual([
    '90s',
    '2m',
    '1h',
    '1500ms',
    '0',
  ]);
  expect([65_536, 2 ** 20, 1_000].map(formatSize)).toEqual(['64KiB', '1MiB', '1000B']);
});
