/** Milliseconds in each unit. */
export const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** Bytes in each unit. */
export const SIZE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Parses `250ms`, `30s`, `5m`, `1h` or a bare number into milliseconds; null for anything else. */
export function parseDuration(text: string): number | null {
  return parse(text, DURATION_UNITS);
}

/** Parses `512B`, `64KiB`, `1MiB`, `1GiB` or a bare number into bytes; null for anything else. */
export function parseSize(text: string): number | null {
  return parse(text, SIZE_UNITS);
}

/** Formats milliseconds in the largest unit that fits without a fraction: 90000 is `90s`, 120000 is `2m`. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, DURATION_UNITS);
}

/** Formats bytes in the largest unit that fits without a fraction: 65536 is `64KiB`. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS);
}

function parse(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d{1,15}) ?([A-Za-z]*)$/.exec(text.trim());
  if (match === null) return null;
  const [, digits = '', unit = ''] = match;
  const factor = unit === '' ? 1 : Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? null : Number(digits) * factor;
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).findLast(([, f]) => value >= f && value % f === 0) ?? ['', 1];
  return `${value / factor}${unit}`;
}
