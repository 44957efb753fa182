import type { Found } from './compare.ts';
import type { Covered, Difference } from './differences.ts';

/** What stands between the list of differences and those that were found. */
export interface Verdict {
  /** Found, and in no list. */
  readonly unlisted: readonly Found[];
  /** Listed, and not found: the id of the difference, with the calls or the aspect. */
  readonly gone: readonly string[];
}

/** Compares the differences that were found with those that are meant. */
export function judge(found: readonly Found[], differences: readonly Difference[]): Verdict {
  const covers = differences.flatMap((difference) => difference.covers);
  return {
    unlisted: found.filter((each) => !covers.some((covered) => isCovered(each, covered))),
    gone: differences.flatMap(({ id, covers: own }) =>
      own.flatMap((covered) => goneOf(found, covered).map((what) => `${id}: ${what}`)),
    ),
  };
}

function goneOf(found: readonly Found[], { calls, aspects }: Covered): string[] {
  const isFound = (some: Covered): boolean => found.some((each) => isCovered(each, some));
  return [
    ...calls.filter((call) => !isFound({ calls: [call], aspects })),
    ...aspects.filter((aspect) => !isFound({ calls, aspects: [aspect] })),
  ];
}

function isCovered({ call, aspect }: Found, { calls, aspects }: Covered): boolean {
  return calls.some((pattern) => fits(call, pattern)) && aspects.some((name) => fits(aspect, name));
}

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
