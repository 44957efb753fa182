import type { Report } from './examine.ts';

/** Formats the report for scripts. The names of its keys are public. */
export function reportJson({ checks, totals }: Report): string {
  return `${JSON.stringify({ checks, totals }, null, 2)}\n`;
}
