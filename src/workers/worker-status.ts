/**
 * Why a worker ended: an uncaught `fault` of its own, `killed` by a signal from outside, killed by the primary
 * because it was `stuck`, `stopped` on request, or an `error` exit code of its own.
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

/** The status of a process that serves clients. */
export interface WorkerStatus {
  /** Number of its slot, from 1; a replacement keeps it. */
  readonly worker: number;
  readonly pid: number | null;
  readonly state: 'starting' | 'serving' | 'draining' | 'gone';
  /** Age of the process in seconds. */
  readonly uptime: number;
  readonly inFlight: number;
  /** How often the worker of this slot was replaced. */
  readonly restarts: number;
  /** How the previous worker of this slot ended; absent if there was none. */
  readonly lastExit?: WorkerExit;
}
