/** One line of cells to a Markdown table each; the first is its head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** A table of the rows and columns that have something in them. */
export function matrix(
  rows: readonly string[],
  columns: readonly string[],
  cell: (row: string, column: string) => string,
): string {
  const cells = rows.map((row) => columns.map((column) => cell(row, column)));
  const isThere = (_: unknown, i: number): boolean => cells.some((row) => row[i] !== '');
  const body = cells.flatMap((row, i) =>
    row.every((text) => text === '') ? [] : [[rows[i] ?? '', ...row.filter(isThere)]],
  );
  return markdownTable([['', ...columns.filter(isThere)], ...body]);
}

/** About three digits, as many as a measurement has that says anything. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '';
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** Microseconds as milliseconds, with a slash between them; nothing if one of them is missing. */
export function latencies(...us: readonly number[]): string {
  return us.every(Number.isFinite) ? us.map((one) => digits(one / 1_000)).join(' / ') : '';
}
