export interface BackoffOptions {
  /** Servers in the connect string: each is tried once without delay. */
  readonly servers: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** The first delay in milliseconds, doubled with every failure. */
  readonly baseMs?: number;
  /** The longest delay in milliseconds. */
  readonly capMs?: number;
  /** A connection that lived this many milliseconds was a good one: the count starts anew. */
  readonly stableMs?: number;
}

/**
 * When to dial next. It outlives connections and sessions, so that a server which accepts and then hangs up, or
 * expires each new session, is not called in a hot loop.
 */
export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  delay(): number;
  /** An attempt ended after having been connected for so many milliseconds, 0 if it never was. */
  ended(connectedMs: number): void;
}

export function createBackoff(options: BackoffOptions): Backoff {
  const { servers, random, baseMs = 100, capMs = 2_000, stableMs = 5_000 } = options;
  let failures = 0;
  return {
    delay() {
      if (failures < servers) return 0;
      const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - servers, 30));
      // Half fixed, half random: gateways that lost the same server do not come back in step.
      return Math.round(full / 2 + (random() * full) / 2);
    },
    ended(connectedMs) {
      failures = connectedMs > 0 && connectedMs >= stableMs ? 0 : failures + 1;
    },
  };
}
