import type { Style, Tone } from '../../logs/style.ts';
import { plainText } from './plain-text.ts';

/** A cell: its text, or text with a meaning. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

const GAP = '  ';
/** The last column keeps so many characters, however narrow the terminal. */
const LEAST = 12;

/**
 * Lays out a table with a head. Columns are as wide as their widest cell; the last one is cut where the table would be
 * wider than `width`. Cells may hold any text.
 */
export function layOutTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number,
  style: Style,
): string {
  const texts = [head, ...rows.map((row) => row.map((cell) => plainText(textOf(cell))))];
  const widths = head.map((_, i) => Math.max(...texts.map((row) => row[i]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + GAP.length, 0);
  const last = Math.max(LEAST, width - before);
  const line = (row: readonly string[], toneOf: (i: number) => Tone): string =>
    row
      .map((text, i) => {
        const isLast = i === head.length - 1;
        const shown = isLast && text.length > last ? `${text.slice(0, last - 1)}…` : text;
        return style(shown, toneOf(i)) + (isLast ? '' : ' '.repeat((widths[i] ?? 0) - shown.length));
      })
      .join(GAP)
      .trimEnd();
  const [first = [], ...others] = texts;
  return [line(first, () => 'faint'), ...others.map((row, r) => line(row, (i) => toneOf(rows[r]?.[i])))].join(
    '\n',
  );
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function toneOf(cell: Cell | undefined): Tone {
  return typeof cell === 'object' ? cell.tone : 'plain';
}
