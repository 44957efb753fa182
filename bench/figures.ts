import type { Measurement } from './results.ts';

export type Figure = 'cpuUsPerRequest' | 'requestsPerSecond' | 'p50Us' | 'p99Us' | 'p999Us' | 'rssBytes';

/** One figure of some measurements, by round; those that lack it are left out. */
export function byRound(measured: readonly Measurement[], key: Figure): Map<number, number> {
  return new Map(
    measured.flatMap((one) => {
      const figure = one[key];
      return figure === undefined ? [] : [[one.round, figure] as const];
    }),
  );
}
