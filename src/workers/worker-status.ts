/**
 * Why a worker ended: by a `fault` of its own that nobody caught, `killed` by a signal of somebody else's, killed by the
 * primary because it was `stuck`, `stopped` in peace because it was asked to, or with an `error` code of its own.
 */
export const EXIT_REASONS = ['fault', 'killed', 'stuck', 'stopped', 'error'] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

export interface WorkerExit {
  readonly reason: ExitReason;
  readonly code: number | null;
  readonly signal: string | null;
  /** ISO time. */
  readonly when: string;
}

/** A process that serves clients. */
export interface WorkerStatus {
  /** From 1; the one that replaces it has the same. */
  readonly worker: number;
  readonly pid: number | null;
  readonly state: 'starting' | 'serving' | 'draining' | 'gone';
  /** Seconds. */
  readonly uptime: number;
  readonly inFlight: number;
  /** How often it was replaced. */
  readonly restarts: number;
  /** How the one before ended; absent where there was none. */
  readonly lastExit?: WorkerExit;
}
