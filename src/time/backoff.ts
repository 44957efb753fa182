export interface BackoffOptions {
  /** Servers in the connect string; each is tried once without delay. */
  readonly servers: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** First delay in ms, doubled with every failure. */
  readonly baseMs?: number;
  /** Longest delay in ms. */
  readonly capMs?: number;
  /** A connection that lived this many ms was good and resets the failure count. */
  readonly stableMs?: number;
}

/**
 * Decides when to dial next. It outlives connections and sessions, so a server that accepts and then hangs up, or
 * expires each new session, is not dialled in a hot loop.
 */
export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  delay(): number;
  /** Records that an attempt ended after being connected for `connectedMs`, 0 if it never was. */
  ended(connectedMs: number): void;
}

/** Creates a backoff without failures. */
export function createBackoff(options: BackoffOptions): Backoff {
  const { servers, random, baseMs = 100, capMs = 2_000, stableMs = 5_000 } = options;
  let failures = 0;
  return {
    delay() {
      if (failures < servers) return 0;
      const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - servers, 30));
      // Half fixed, half random: gateways that lost the same server must not return in step.
      return Math.round(full / 2 + (random() * full) / 2);
    },
    ended(connectedMs) {
      failures = connectedMs > 0 && connectedMs >= stableMs ? 0 : failures + 1;
    },
  };
}
