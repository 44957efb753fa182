import type { Row } from './ledger.ts';

interface Field {
  /** Two lines of its head. */
  readonly head: readonly [string, string];
  readonly of: (row: Row) => string;
  readonly total: (rows: readonly Row[]) => string;
}

const FIELDS: readonly Field[] = [
  { head: ['', 'what was broken'], of: ({ what }) => what, total: () => 'all' },
  time('Coordinator', 'reads', ({ gaps }) => gaps.coordinatorRead),
  time('Coordinator', 'writes', ({ gaps }) => gaps.setting),
  time('Overlord', 'reads', ({ gaps }) => gaps.overlordRead),
  time('Overlord', 'tasks', ({ gaps }) => gaps.task),
  time('Brokers', 'queries', ({ gaps }) => gaps.query),
  time('slowest', 'success', ({ slowest }) => slowest),
  count('', 'requests', ({ requests }) => requests),
  count('reads', 'failed', ({ failed }) => failed),
  count('writes', 'refused', ({ refused }) => refused),
  {
    head: ['writes of', 'unknown fate'],
    of: (row) => fate(row.unknown, row.unknownDone),
    total: (rows) =>
      fate(
        sum(rows, ({ unknown }) => unknown) ?? 0,
        sum(rows, ({ unknownDone }) => unknownDone),
      ),
  },
  count('tasks', 'failed', ({ tasksFailed }) => tasksFailed),
  count('wrong', 'answers', ({ wrong }) => wrong),
  count('', 'lost', ({ lost }) => lost),
  count('', 'doubled', ({ doubled }) => doubled),
];

/** What the columns mean, below the table. */
export const LEGEND = `Seconds are the longest time in which nothing of a kind succeeded, and what the slowest success took.
Requests are sent at a steady pace, and none of them twice by its client.
`;

/** The rows as aligned text, with a total below; `?` stands where nobody looked. */
export function renderTable(rows: readonly Row[]): string {
  const heads = [0, 1].map((line) => FIELDS.map(({ head }) => head[line] ?? ''));
  const body = rows.map((row) => FIELDS.map(({ of }) => of(row)));
  const totals = FIELDS.map(({ total }) => total(rows));
  const widths = FIELDS.map((_, i) =>
    Math.max(...[...heads, ...body, totals].map((line) => (line[i] ?? '').length)),
  );
  const render = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  const rule = '-'.repeat(widths.reduce((all, width) => all + width + 2, -2));
  return [...heads.map(render), rule, ...body.map(render), rule, render(totals), ''].join('\n');
}

/** Everything that went wrong in words, with how often, by what was broken. Empty when nothing did. */
export function renderDetails(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ details }) => details.size > 0)
    .flatMap(({ what, details }) => [
      `${what}:`,
      ...[...details].toSorted(([, a], [, b]) => b - a).map(([text, count]) => `  ${count} x ${text}`),
    ]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** A time in seconds; the total is the longest. */
function time(first: string, second: string, of: (row: Row) => number): Field {
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  return {
    head: [first, second],
    of: (row) => seconds(of(row)),
    total: (rows) => seconds(Math.max(0, ...rows.map(of))),
  };
}

function count(first: string, second: string, of: (row: Row) => number | null): Field {
  return { head: [first, second], of: (row) => counted(of(row)), total: (rows) => counted(sum(rows, of)) };
}

/** Null where one of them is. */
function sum(rows: readonly Row[], of: (row: Row) => number | null): number | null {
  return rows.reduce<number | null>((all, row) => {
    const one = of(row);
    return all === null || one === null ? null : all + one;
  }, 0);
}

function counted(count: number | null): string {
  return count === null ? '?' : String(count);
}

/** `3 (1 done)` */
function fate(unknown: number, done: number | null): string {
  if (unknown === 0) return '0';
  return `${unknown} (${counted(done)} done)`;
}
