/** A success that follows another one this closely says nothing new. */
const QUIET_MS = 100;

/**
 * Which successes are worth telling: those of nodes that have lately failed somebody, since failures in a row are
 * what counts against a node. Of all others nothing would come of them.
 */
export interface RecentlyFailedNodes {
  /** This node (by origin) has just failed: the next success ends the row. */
  add(origin: string): void;
  /** Whether a success of this node is to be told now; asked once for each. */
  shouldReport(origin: string): boolean;
  readonly origins: readonly string[];
}

/** How long a node is watched: longer than its ejections are remembered, which is twice the longest of them. */
export function failureMemoryMs(maxEjectionMs: number): number {
  return Math.max(15 * 60_000, 3 * maxEjectionMs);
}

/** `now` is in milliseconds; a node is watched for `watchMs` after its last failure. */
export function createRecentlyFailedNodes(now: () => number, watchMs: number): RecentlyFailedNodes {
  const watched = new Map<string, { failedAt: number; toldAt: number }>();
  return {
    add(origin) {
      watched.set(origin, { failedAt: now(), toldAt: Number.NEGATIVE_INFINITY });
    },
    shouldReport(origin) {
      // By far the most successes end here.
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
