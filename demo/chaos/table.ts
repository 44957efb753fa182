import type { Row } from './ledger.ts';

const HEADS = [
  ['', 'longest gap between successes, s', '', '', '', '', '', '', '', '', '', ''],
  [
    'what was broken',
    'Coordinator',
    'Overlord',
    'queries',
    'writes',
    'requests',
    'failed',
    'unknown fate',
    'tasks failed',
    'wrong',
    'lost',
    'doubled',
  ],
] as const;

/** The rows as aligned text, with a total below; `?` stands where nobody looked. */
export function renderTable(rows: readonly Row[]): string {
  const [, heads] = HEADS;
  const lines = [[...heads], ...rows.map(cells), total(rows)];
  const widths = heads.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  const text = lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const above = ' '.repeat((widths[0] ?? 0) + 2) + HEADS[0][1];
  const rule = '-'.repeat(Math.max(...text.map((line) => line.length)));
  return [above, text[0], rule, ...text.slice(1, -1), rule, text.at(-1), ''].join('\n');
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

function cells(row: Row): string[] {
  const { gaps } = row;
  return [
    row.what,
    ...[gaps.coordinator, gaps.overlord, gaps.queries, gaps.writes].map((ms) => (ms / 1_000).toFixed(1)),
    String(row.requests),
    String(row.failed),
    fate(row.unknown, row.unknownDone),
    counted(row.tasksFailed),
    String(row.wrong),
    counted(row.lost),
    counted(row.doubled),
  ];
}

function total(rows: readonly Row[]): string[] {
  const sum = (of: (row: Row) => number | null): number | null =>
    rows.reduce<number | null>((all, row) => {
      const one = of(row);
      return all === null || one === null ? null : all + one;
    }, 0);
  const worst = (of: (row: Row) => number): string => (Math.max(0, ...rows.map(of)) / 1_000).toFixed(1);
  return [
    'all',
    worst(({ gaps }) => gaps.coordinator),
    worst(({ gaps }) => gaps.overlord),
    worst(({ gaps }) => gaps.queries),
    worst(({ gaps }) => gaps.writes),
    String(sum(({ requests }) => requests)),
    String(sum(({ failed }) => failed)),
    fate(
      sum(({ unknown }) => unknown) ?? 0,
      sum(({ unknownDone }) => unknownDone),
    ),
    counted(sum(({ tasksFailed }) => tasksFailed)),
    String(sum(({ wrong }) => wrong)),
    counted(sum(({ lost }) => lost)),
    counted(sum(({ doubled }) => doubled)),
  ];
}

function counted(count: number | null): string {
  return count === null ? '?' : String(count);
}

/** `3 (1 done)` */
function fate(unknown: number, done: number | null): string {
  if (unknown === 0) return '0';
  return `${unknown} (${counted(done)} done)`;
}
