/** A row of an answer. It comes from a server, so nothing about it is sure. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows that are read of one answer. */
export const MOST_ROWS = 500;
const LONGEST_TEXT = 200;

/** Returns the text of a column; empty where there is none. */
export function textOf(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value === 'string') return value.slice(0, LONGEST_TEXT);
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
    ? String(value)
    : '';
}

/** Returns the number of a column; null where there is none. */
export function numberOf(row: Row | undefined, column: string): number | null {
  const text = textOf(row, column);
  const value = Number(text);
  return text === '' || !Number.isFinite(value) ? null : value;
}

/** Whether a column says yes, by the spellings of both kinds of server. */
export function isOn(row: Row | undefined, column: string): boolean {
  return /^(?:true|t|1|on|yes)$/i.test(textOf(row, column));
}

/** Returns whole milliseconds of a column in seconds; null where there is none. */
export function msOf(row: Row | undefined, column: string): number | null {
  const seconds = numberOf(row, column);
  return seconds === null ? null : Math.max(0, Math.round(seconds * 1_000));
}
