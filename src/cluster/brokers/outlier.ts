/** When to eject a Broker that passes its probes but fails its requests. */
export interface OutlierLimits {
  /** Failures in a row that eject a Broker; 0 ejects none. */
  readonly failures: number;
  /**
   * Duration of the first ejection in milliseconds. Each further ejection lasts twice as long, up to `maxEjectionMs`.
   */
  readonly ejectionMs: number;
  readonly maxEjectionMs: number;
}

/** The recent outcomes of a Broker's requests. */
export interface OutlierState {
  /** Failures in a row; failures during an ejection do not count. */
  readonly failures: number;
  /** Ejections in a row; `afterSuccess` clears them. */
  readonly ejections: number;
  /** When the ejection ends, in milliseconds on the caller's clock; in the past if the Broker is not ejected. */
  readonly until: number;
}

export const HEALTHY: OutlierState = { failures: 0, ejections: 0, until: Number.NEGATIVE_INFINITY };

/** Duration of the n-th ejection in a row, in milliseconds. */
export function ejectionMs(ejections: number, { ejectionMs: first, maxEjectionMs }: OutlierLimits): number {
  return Math.min(first * 2 ** Math.min(ejections - 1, 30), maxEjectionMs);
}

/** The state after one more failure. Requests that were under way at the ejection and fail now prove nothing new. */
export function afterFailure(state: OutlierState, now: number): OutlierState {
  return now < state.until ? state : { ...state, failures: state.failures + 1 };
}

/**
 * The state after a success, which resets the failures. It also clears the ejections if as much time has passed since
 * the end of the last ejection as that one lasted.
 */
export function afterSuccess(state: OutlierState, now: number, limits: OutlierLimits): OutlierState {
  if (state.failures === 0 && state.ejections === 0) return state;
  if (now < state.until) return state;
  const forgotten = now - state.until >= ejectionMs(state.ejections, limits);
  if (forgotten) return HEALTHY;
  return state.failures === 0 ? state : { ...state, failures: 0 };
}

/** Whether the Broker has failed often enough in a row to be ejected. */
export function shouldEject(state: OutlierState, limits: OutlierLimits): boolean {
  return limits.failures > 0 && state.failures >= limits.failures;
}

/** The state of a Broker ejected at `now`, for longer than the last time. */
export function ejected(state: OutlierState, now: number, limits: OutlierLimits): OutlierState {
  const ejections = state.ejections + 1;
  return { failures: 0, ejections, until: now + ejectionMs(ejections, limits) };
}
