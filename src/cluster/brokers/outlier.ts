/** When a Broker whose probes pass is still left out, because the requests that it gets fail. */
export interface OutlierLimits {
  /** Failures in a row that are too many; 0 ejects nobody. */
  readonly failures: number;
  /** The first time out, in milliseconds; every further one is twice as long. */
  readonly ejectionMs: number;
  readonly maxEjectionMs: number;
}

/** How a Broker has lately treated the requests it got. */
export interface OutlierState {
  /** Failures in a row, none of them while it was out. */
  readonly failures: number;
  /** How often it was ejected without behaving for long enough since. */
  readonly ejections: number;
  /** Until when it is out, on the caller's clock; in the past for one that is not. */
  readonly until: number;
}

export const HEALTHY: OutlierState = { failures: 0, ejections: 0, until: Number.NEGATIVE_INFINITY };

/** How long the n-th ejection in a row lasts, in milliseconds. */
export function ejectionMs(ejections: number, { ejectionMs: first, maxEjectionMs }: OutlierLimits): number {
  return Math.min(first * 2 ** Math.min(ejections - 1, 30), maxEjectionMs);
}

/** One more failure. What was under way when it was ejected and fails now says nothing new. */
export function afterFailure(state: OutlierState, now: number): OutlierState {
  return now < state.until ? state : { ...state, failures: state.failures + 1 };
}

/** A success ends the row; one that comes as long after an ejection as that lasted has it forgotten. */
export function afterSuccess(state: OutlierState, now: number, limits: OutlierLimits): OutlierState {
  if (state.failures === 0 && state.ejections === 0) return state;
  if (now < state.until) return state;
  const forgotten = now - state.until >= ejectionMs(state.ejections, limits);
  if (forgotten) return HEALTHY;
  return state.failures === 0 ? state : { ...state, failures: 0 };
}

export function shouldEject(state: OutlierState, limits: OutlierLimits): boolean {
  return limits.failures > 0 && state.failures >= limits.failures;
}

/** Out from now on, longer than the last time. */
export function ejected(state: OutlierState, now: number, limits: OutlierLimits): OutlierState {
  const ejections = state.ejections + 1;
  return { failures: 0, ejections, until: now + ejectionMs(ejections, limits) };
}
