/** One observation: what there was of each cause, and what it came to. */
export interface Observation {
  readonly causes: readonly number[];
  readonly effect: number;
}

/**
 * The coefficients, none below 0, by which the causes come nearest to the effects, each observation by its relative error:
 * a long step must not drown a short one. A cause that would take away from the effect is left out. 0 where there is
 * nothing to fit.
 */
export function fitted(observations: readonly Observation[]): readonly number[] {
  const count = observations[0]?.causes.length ?? 0;
  const weighed = observations.flatMap(({ causes, effect }) =>
    effect > 0 ? [{ causes: causes.map((cause) => cause / effect), effect: 1 }] : [],
  );
  let used = Array.from({ length: count }, (_, i) => i);
  for (;;) {
    const solved = leastSquares(weighed, used);
    const worst = used.filter((_, i) => !((solved[i] ?? 0) > 0));
    if (worst.length === 0) {
      return Array.from({ length: count }, (_, i) => solved[used.indexOf(i)] ?? 0);
    }
    // One at a time: without it the others may be above 0.
    const lowest = used.reduce((low, cause, i) =>
      (solved[i] ?? 0) < (solved[used.indexOf(low)] ?? 0) ? cause : low,
    );
    used = used.filter((cause) => cause !== lowest);
  }
}

/** Solves the normal equations for these causes by elimination; 0 for a cause that nothing is known of. */
function leastSquares(observations: readonly Observation[], used: readonly number[]): number[] {
  const at = (one: Observation, i: number): number => one.causes[used[i] ?? 0] ?? 0;
  const rows = used.map((_, i) => [
    ...used.map((__, j) => sum(observations, (one) => at(one, i) * at(one, j))),
    sum(observations, (one) => at(one, i) * one.effect),
  ]);
  for (const [i, row] of rows.entries()) {
    const pivot = row[i] ?? 0;
    if (Math.abs(pivot) < 1e-18) continue;
    for (const [j, other] of rows.entries()) {
      if (i === j) continue;
      const factor = (other[i] ?? 0) / pivot;
      for (let k = 0; k < other.length; k++) other[k] = (other[k] ?? 0) - factor * (row[k] ?? 0);
    }
  }
  return rows.map((row, i) => {
    const pivot = row[i] ?? 0;
    return Math.abs(pivot) < 1e-18 ? 0 : (row[used.length] ?? 0) / pivot;
  });
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
