/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * The median of a figure's ratios to the base's figure of the same round, so that what slowed a whole round down
 * does not count. Rounds that one of the two lacks are left out; NaN where there is none.
 */
export function ratioTo(base: ReadonlyMap<number, number>, figures: ReadonlyMap<number, number>): number {
  const ratios: number[] = [];
  for (const [round, figure] of figures) {
    const reference = base.get(round);
    if (reference !== undefined && reference > 0) ratios.push(figure / reference);
  }
  return median(ratios);
}

/** Five digits, more than any measurement has that says anything. */
export function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** How far the outermost value is from the median, as a share of it; 0 of a single one. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  return Math.max(0, ...values.map((value) => Math.abs(value - middle) / middle));
}
