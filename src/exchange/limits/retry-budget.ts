export interface RetryBudgetOptions {
  /** Repeats allowed per request, over the window. */
  readonly share: number;
  /** Repeats that are always allowed per second of the window, because a quiet gateway must be able to repeat too. */
  readonly minPerSecond: number;
}

/**
 * Limits the load that repeats add. When a whole cluster fails, a gateway that repeats everything makes it worse.
 * Times are in milliseconds on the exchange's clock.
 */
export interface RetryBudget {
  /** Counts one incoming request. */
  deposit(now: number): void;
  /** Takes one repeat from the budget. Returns false if none is left. */
  withdraw(now: number): boolean;
  /** Number of times that `withdraw` returned false. */
  readonly refusals: number;
  /** Changes the limits. What was counted within the window counts on. */
  setLimits(limits: RetryBudgetOptions): void;
}

const SLOTS = 10;
const SLOT_MS = 1_000;

/** Creates a budget over the last ten seconds. */
export function createRetryBudget(initial: RetryBudgetOptions): RetryBudget {
  let { share, minPerSecond } = initial;
  const requests = new Float64Array(SLOTS);
  const repeats = new Float64Array(SLOTS);
  let current = Number.NEGATIVE_INFINITY;
  let refusals = 0;

  function advance(now: number): number {
    const slot = Math.floor(now / SLOT_MS);
    if (slot - current >= SLOTS) {
      requests.fill(0);
      repeats.fill(0);
    } else {
      for (let i = current + 1; i <= slot; i++) {
        requests[i % SLOTS] = 0;
        repeats[i % SLOTS] = 0;
      }
    }
    if (slot > current) current = slot;
    return current % SLOTS;
  }

  const sum = (counts: Float64Array): number => counts.reduce((all, count) => all + count, 0);

  return {
    deposit(now) {
      const slot = advance(now);
      requests[slot] = (requests[slot] ?? 0) + 1;
    },
    withdraw(now) {
      const slot = advance(now);
      if (sum(repeats) >= sum(requests) * share + minPerSecond * SLOTS) {
        refusals++;
        return false;
      }
      repeats[slot] = (repeats[slot] ?? 0) + 1;
      return true;
    },
    get refusals() {
      return refusals;
    },
    setLimits(limits) {
      ({ share, minPerSecond } = limits);
    },
  };
}
