/**
 * Milliseconds from `now` (epoch milliseconds) that a `Retry-After` asks for: seconds or a date (RFC 9110 10.2.3); null
 * for what is neither.
 */
export function retryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = /[A-Za-z]/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
