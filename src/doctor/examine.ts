import { RESULTS, type Result } from './check.ts';
import { GROUPS } from './checks.ts';
import type { Facts } from './facts.ts';
import { printable } from './printable.ts';

/** The outcome of one check, safe to be shown anywhere. */
export interface Outcome {
  readonly id: string;
  readonly title: string;
  readonly result: Result;
  readonly evidence: string;
  /** Empty where there is nothing to mend. */
  readonly remedy: string;
  readonly source: string;
}

export interface Report {
  readonly checks: readonly Outcome[];
  readonly totals: Readonly<Record<Lowercase<Result>, number>>;
}

/** Longest evidence, in characters. */
const LONGEST_EVIDENCE = 1_000;

/**
 * Runs every check over the facts. One that throws ends only itself: it could not judge what it found, which is no
 * fault of the cluster's. Those about a source that is not configured are left out. `skipped` holds ids. Texts of strangers are bounded and escaped here, for all reports.
 */
export function examine(
  facts: Facts,
  skipped: ReadonlySet<string> = new Set(),
  onInternalError: (error: unknown) => void = () => {},
  groups = GROUPS,
): Report {
  const checks = groups.flatMap((group) =>
    group.checks.flatMap(({ id, title, remedy, source, about = group.about, run }): Outcome | [] => {
      if (about !== undefined && facts[about] === null) return [];
      const { result, evidence } = skipped.has(id)
        ? { result: 'SKIP' as const, evidence: 'skipped as asked' }
        : judged(() => run(facts), onInternalError);
      const needs = result === 'WARN' || result === 'FAIL';
      return {
        id,
        title,
        result,
        evidence: printable(evidence, LONGEST_EVIDENCE),
        remedy: needs ? remedy : '',
        source,
      };
    }),
  );
  return { checks, totals: totalsOf(checks) };
}

/** Whether the report is bad news; with `strict` a warning counts. */
export function hasFailed({ totals }: Report, strict: boolean): boolean {
  return totals.fail > 0 || (strict && totals.warn > 0);
}

function judged<T>(
  judge: () => T,
  onInternalError: (error: unknown) => void,
): T | { readonly result: 'SKIP'; readonly evidence: string } {
  try {
    return judge();
  } catch (error) {
    onInternalError(error);
    return {
      result: 'SKIP',
      evidence: 'this check could not judge what it found: an error of the gateway itself',
    };
  }
}

function totalsOf(checks: readonly Outcome[]): Report['totals'] {
  const totals = { pass: 0, warn: 0, fail: 0, info: 0, skip: 0 };
  for (const { result } of checks) totals[lower(result)]++;
  return totals;
}

function lower(result: Result): Lowercase<Result> {
  return result.toLowerCase() as Lowercase<Result>;
}

/** The names of the totals, in the order of the report. */
export const TOTALS: readonly Lowercase<Result>[] = RESULTS.map(lower);
