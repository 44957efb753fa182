/** Why an orchestrator should restart this gateway. */
export type NotLive = 'event_loop_stuck' | 'internal_errors' | 'no_worker';

export interface LivenessOptions {
  /** Longest acceptable stall of an event loop, in ms; 0 is no limit. */
  readonly maxStallMs: number;
  /** Most internal errors per minute; 0 is no limit. */
  readonly maxInternalErrors: number;
  /** Monotonic clock, in ms. */
  readonly now?: () => number;
}

/** How long a stall is reported afterwards, in ms: during the stall no probe is answered. */
const REMEMBERED_MS = 30_000;
/** Window over which errors are counted, in ms. */
const WINDOW_MS = 60_000;
/** After this long without a serving worker, in ms, none will come. */
const UNSERVED_MS = 30_000;

/** Judges from reports whether the gateway's processes can go on. */
export class Liveness {
  readonly #maxStallMs: number;
  readonly #maxInternalErrors: number;
  readonly #now: () => number;
  readonly #totals = new WeakMap<object, number>();
  /** Errors of the last minute, by the time they were reported. */
  #recent: { readonly at: number; readonly count: number }[] = [];
  #stuckAt = Number.NEGATIVE_INFINITY;
  #servedAt: number;

  constructor({ maxStallMs, maxInternalErrors, now = () => performance.now() }: LivenessOptions) {
    this.#maxStallMs = maxStallMs;
    this.#maxInternalErrors = maxInternalErrors;
    this.#now = now;
    this.#servedAt = now();
  }

  /** Reports that an event loop of the gateway was stuck for `ms` until now. */
  stalled(ms: number): void {
    if (this.#maxStallMs > 0 && ms > this.#maxStallMs) this.#stuckAt = this.#now();
  }

  /** Reports how many internal errors a process has had since its start. */
  errors(process: object, total: number): void {
    const count = total - (this.#totals.get(process) ?? 0);
    if (count <= 0) return;
    this.#totals.set(process, total);
    this.#recent.push({ at: this.#now(), count });
    this.#forget();
  }

  /** Reports whether any process serves now. */
  serves(somebody: boolean): void {
    if (somebody) this.#servedAt = this.#now();
  }

  /** Null while all is well. */
  get notLive(): NotLive | null {
    const now = this.#now();
    this.#forget();
    if (now - this.#stuckAt < REMEMBERED_MS) return 'event_loop_stuck';
    const errors = this.#recent.reduce((sum, { count }) => sum + count, 0);
    if (this.#maxInternalErrors > 0 && errors > this.#maxInternalErrors) return 'internal_errors';
    return now - this.#servedAt > UNSERVED_MS ? 'no_worker' : null;
  }

  #forget(): void {
    const since = this.#now() - WINDOW_MS;
    while (this.#recent[0] !== undefined && this.#recent[0].at <= since) this.#recent.shift();
  }
}
