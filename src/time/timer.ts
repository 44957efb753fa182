/** The longest that a timer of Node's can wait, in milliseconds; it takes anything beyond for 1. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** So many milliseconds, or as many as a timer can wait. */
export function forTimer(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST_TIMER_MS);
}
