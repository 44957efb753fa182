/** Reads JSON that may be anything: another version of the gateway, or something else altogether, wrote it. */

/** Returns what is at these keys, or undefined. */
export function valueIn(value: unknown, ...keys: readonly string[]): unknown {
  let found = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** Returns the list at these keys; empty if there is none. */
export function listIn(value: unknown, ...keys: readonly string[]): readonly unknown[] {
  const found = valueIn(value, ...keys);
  return Array.isArray(found) ? found : [];
}

/** Returns the value at these keys as text; `-` for what is absent, null or no scalar. */
export function textIn(value: unknown, ...keys: readonly string[]): string {
  const found = valueIn(value, ...keys);
  if (typeof found === 'string') return found === '' ? '-' : found;
  return typeof found === 'number' || typeof found === 'boolean' ? String(found) : '-';
}

/** Returns the number at these keys, or null. */
export function numberIn(value: unknown, ...keys: readonly string[]): number | null {
  const found = valueIn(value, ...keys);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

/** Gaps without a leader are mostly this short. */
const TENTHS_BELOW_MS = 10_000;

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
] as const;

/** Writes a duration in its two largest units, such as `3h 2m`; with tenths below ten seconds; `-` for null. */
export function shownDuration(milliseconds: number | null): string {
  if (milliseconds === null) return '-';
  const rounded = Math.max(0, Math.round(milliseconds));
  if (rounded < 1_000) return `${rounded}ms`;
  if (rounded < TENTHS_BELOW_MS) return `${Math.floor(rounded / 100) / 10}s`;
  let rest = rounded;
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}
