/** A success within this time, in ms, of one already reported adds nothing. */
const QUIET_MS = 100;

/**
 * Decides which successes are worth reporting. Only failures in a row count against a node, so only a node that
 * recently failed a request has a count for a success to reset.
 */
export interface RecentlyFailedNodes {
  /** Records a failure of this node (by origin); its next success will be reported. */
  add(origin: string): void;
  /** Whether to report this success of the node now. Call it once per success. */
  shouldReport(origin: string): boolean;
  readonly origins: readonly string[];
}

/**
 * How long a node is watched, in ms: longer than its ejections are remembered, which is twice the longest ejection.
 */
export function failureMemoryMs(maxEjectionMs: number): number {
  return Math.max(15 * 60_000, 3 * maxEjectionMs);
}

/** `now` returns milliseconds; a node is watched for `watchMs` after its last failure. */
export function createRecentlyFailedNodes(now: () => number, watchMs: number): RecentlyFailedNodes {
  const watched = new Map<string, { failedAt: number; toldAt: number }>();
  return {
    add(origin) {
      watched.set(origin, { failedAt: now(), toldAt: Number.NEGATIVE_INFINITY });
    },
    shouldReport(origin) {
      // Most successes return here.
      if (watched.size === 0) return false;
      const entry = watched.get(origin);
      if (entry === undefined) return false;
      const time = now();
      if (time - entry.failedAt > watchMs) {
        watched.delete(origin);
        return false;
      }
      if (time - entry.toldAt < QUIET_MS) return false;
      entry.toldAt = time;
      return true;
    },
    get origins() {
      return [...watched.keys()];
    },
  };
}
