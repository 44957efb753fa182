/** Upper bounds of the latencies that are told apart, in ms; the last bucket is for longer ones. */
const BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];
const BUCKETS = BOUNDS_MS.length + 1;
/** The last minute, in parts that end one after the other; the present part is not over. */
const SLOTS = 6;
const SLOT_MS = 10_000;
/** In a slot: attempts, errors, and attempts by latency. */
const ERRORS = 1;
const LATENCIES = 2;
const SLOT_SIZE = LATENCIES + BUCKETS;

/** What became of the attempts at a node since this process started. */
export interface NodeTotals {
  readonly attempts: number;
  readonly errors: number;
  /** Sum of the times to the heads of answers, in ms. */
  readonly latencyMs: number;
}

/** What became of the attempts of the last minute. */
export interface RecentTraffic {
  readonly attempts: number;
  readonly errors: number;
  /** Quantiles of the time to an answer's head, in ms, interpolated; null without an answer. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** The counts of a process at a node for another process: totals, then those of the last minute, if there are any. */
export type NodeCounts = readonly number[];

const TOTALS = 3;
export const NO_TOTALS: NodeTotals = { attempts: 0, errors: 0, latencyMs: 0 };
const NOTHING_RECENT: RecentTraffic = { attempts: 0, errors: 0, p50Ms: null, p99Ms: null };

/**
 * Counts what became of the attempts at a node. An attempt is counted when its head has come, or it has failed; counting
 * allocates once for each node. Times are in milliseconds on a clock that only goes on.
 */
export class NodeTraffic {
  #attempts = 0;
  #errors = 0;
  #latencyMs = 0;
  /** Null until there is something to count. */
  #slots: Float64Array | null = null;
  /** The number of the slot that was counted into last. */
  #slot = 0;
  /** What other processes have counted: their totals, and their last minute. */
  #othersTotals: NodeTotals = NO_TOTALS;
  #othersRecent: NodeCounts | null = null;

  /** An answer's head came after `latencyMs`. `failed`: with a status of 500 or more. */
  answered(latencyMs: number, failed: boolean, now: number): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && latencyMs > (BOUNDS_MS[bucket] ?? 0)) bucket++;
    this.#latencyMs += latencyMs;
    this.#attempts++;
    const at = this.#offset(now);
    this.#add(at);
    this.#add(at + LATENCIES + bucket);
    if (failed) this.#fail(at);
  }

  /** An attempt ended without the head of an answer. */
  unanswered(now: number): void {
    this.#attempts++;
    const at = this.#offset(now);
    this.#add(at);
    this.#fail(at);
  }

  /** An answer that was counted broke off. */
  brokeOff(now: number): void {
    this.#fail(this.#offset(now));
  }

  /** Since the start, with what other processes have counted. */
  get totals(): NodeTotals {
    const { attempts, errors, latencyMs } = this.#othersTotals;
    return {
      attempts: this.#attempts + attempts,
      errors: this.#errors + errors,
      latencyMs: this.#latencyMs + latencyMs,
    };
  }

  /** The last minute, with what other processes have counted when they were asked last. */
  recent(now: number): RecentTraffic {
    if (this.#slots === null && this.#othersRecent === null) return NOTHING_RECENT;
    const counts = this.#recentCounts(now);
    const others = this.#othersRecent ?? [];
    for (let i = 0; i < others.length; i++) counts[i] = (counts[i] ?? 0) + (others[i] ?? 0);
    const attempts = counts[0] ?? 0;
    if (attempts === 0 && counts[ERRORS] === 0) return NOTHING_RECENT;
    const latencies = counts.slice(LATENCIES);
    return {
      attempts,
      errors: counts[ERRORS] ?? 0,
      p50Ms: quantileMs(0.5, latencies),
      p99Ms: quantileMs(0.99, latencies),
    };
  }

  /** What this process has counted, for another one; null if it has counted nothing. */
  counts(now: number): NodeCounts | null {
    if (this.#attempts === 0) return null;
    const recent = this.#recentCounts(now);
    const isQuiet = recent.every((count) => count === 0);
    return [this.#attempts, this.#errors, this.#latencyMs, ...(isQuiet ? [] : recent)];
  }

  /** Sets what other processes have counted: `totals` of all that there were, and the counts of those that live. */
  takeOthers(totals: NodeTotals, counts: readonly NodeCounts[]): void {
    this.#othersTotals = totals;
    const recent = counts.map((one) => one.slice(TOTALS)).filter((one) => one.length > 0);
    this.#othersRecent =
      recent.length === 0
        ? null
        : Array.from({ length: SLOT_SIZE }, (_, i) => recent.reduce((sum, one) => sum + (one[i] ?? 0), 0));
  }

  #add(at: number): void {
    if (this.#slots !== null) this.#slots[at] = (this.#slots[at] ?? 0) + 1;
  }

  #fail(at: number): void {
    this.#errors++;
    this.#add(at + ERRORS);
  }

  /** Finds the present slot; those that were passed since are of another minute. */
  #offset(now: number): number {
    this.#slots ??= new Float64Array(SLOTS * SLOT_SIZE);
    const slot = Math.floor(now / SLOT_MS);
    if (slot !== this.#slot) this.#clearSince(slot, this.#slots);
    return (slot % SLOTS) * SLOT_SIZE;
  }

  #clearSince(slot: number, slots: Float64Array): void {
    for (let passed = Math.max(this.#slot + 1, slot - SLOTS + 1); passed <= slot; passed++) {
      const at = (passed % SLOTS) * SLOT_SIZE;
      slots.fill(0, at, at + SLOT_SIZE);
    }
    this.#slot = slot;
  }

  #recentCounts(now: number): number[] {
    const sums = new Array<number>(SLOT_SIZE).fill(0);
    const slots = this.#slots;
    if (slots === null) return sums;
    this.#offset(now);
    // Indexes, not iterators: an event for the dashboard adds up a thousand Brokers.
    for (let place = 0; place < SLOT_SIZE; place++) {
      let sum = 0;
      for (let at = place; at < slots.length; at += SLOT_SIZE) sum += slots[at] ?? 0;
      sums[place] = sum;
    }
    return sums;
  }
}

/** Adds the totals of counts. */
export function addTotals(
  totals: NodeTotals,
  [attempts = 0, errors = 0, latencyMs = 0]: NodeCounts,
): NodeTotals {
  return {
    attempts: totals.attempts + attempts,
    errors: totals.errors + errors,
    latencyMs: totals.latencyMs + latencyMs,
  };
}

/** More digits would say nothing, and cost bytes of each event. */
function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** As Prometheus' `histogram_quantile`: linear within a bucket; above the largest bound, that bound. */
function quantileMs(quantile: number, counts: readonly number[]): number | null {
  let all = 0;
  for (const count of counts) all += count;
  const rank = quantile * all;
  if (!(rank > 0)) return null;
  let below = 0;
  let lower = 0;
  for (let i = 0; i < BOUNDS_MS.length; i++) {
    const upper = BOUNDS_MS[i] ?? 0;
    const count = counts[i] ?? 0;
    if (below + count >= rank) return tenths(lower + ((upper - lower) * (rank - below)) / count);
    below += count;
    lower = upper;
  }
  return lower;
}
