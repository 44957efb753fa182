import fc from 'fast-check';
import { expect, test } from 'vitest';
import { median, ratioTo, spread } from '../../../bench/stats.ts';

test('the median is in the middle, whatever the order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values);
      const below = values.filter((value) => value < middle).length;
      const above = values.filter((value) => value > middle).length;
      expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});

test('a ratio is taken within each round', () => {
  const base = new Map([
    [1, 10],
    [2, 100],
    [3, 10],
  ]);
  const figures = new Map([
    [1, 20],
    [2, 200],
    [3, 30],
  ]);
  expect(ratioTo(base, figures)).toBe(2);
  expect(ratioTo(base, base)).toBe(1);
});

test('a round that one of the two lacks is left out of a ratio', () => {
  expect(ratioTo(new Map([[1, 10]]), new Map([[2, 30]]))).toBeNaN();
  expect(
    ratioTo(
      new Map([[1, 10]]),
      new Map([
        [1, 30],
        [2, 90],
      ]),
    ),
  ).toBe(3);
});

test('the spread is the largest deviation from the median', () => {
  expect(spread([10, 10, 12])).toBeCloseTo(0.2);
  expect(spread([5])).toBe(0);
});
