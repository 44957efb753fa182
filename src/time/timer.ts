/** Longest delay of a Node timer in ms; Node takes a longer one for 1 ms. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Limits a delay in ms to what a timer can wait. */
export function forTimer(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST_TIMER_MS);
}
