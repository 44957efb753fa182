import { GROUPS } from './checks.ts';
import { type Report, TOTALS } from './examine.ts';

/** Formats the report for people: checks by group with their numbers, what to do, and totals. */
export function reportText({ checks, totals }: Report): string {
  const byId = new Map(checks.map((check) => [check.id, check]));
  const lines = GROUPS.flatMap((group, g) => {
    const told = group.checks.flatMap(({ id }, i) => {
      const check = byId.get(id);
      if (check === undefined) return [];
      const { result, title, evidence, remedy, source } = check;
      return [
        `[${result}] ${g + 1}.${i + 1} ${id}: ${title}`,
        `       ${evidence}`,
        ...(remedy === '' ? [] : [`       Remedy: ${remedy}`, `       Source: ${source}`]),
      ];
    });
    return told.length === 0 ? [] : ['', `[INFO] ${g + 1} ${group.title}`, ...told];
  });
  const summary = TOTALS.map((name) => `${totals[name]} checks ${name.toUpperCase()}`);
  return `${[...lines.slice(1), '', '== Summary ==', ...summary].join('\n')}\n`;
}
