/** Why an orchestrator should start this gateway anew. */
export type NotLive = 'event_loop_stuck' | 'internal_errors' | 'no_worker';

export interface LivenessOptions {
  /** An event loop that is stuck for longer counts; 0 is no limit. */
  readonly maxStallMs: number;
  /** So many internal errors in a minute are too many; 0 is no limit. */
  readonly maxInternalErrors: number;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

/** Whoever asks sees a loop that was stuck for so long after it: while it is stuck it answers nobody. */
const REMEMBERED_MS = 30_000;
/** Errors are counted over so long. */
const WINDOW_MS = 60_000;
/** Without a worker that serves for so long, none will come. */
const UNSERVED_MS = 30_000;

/** Whether the processes of a gateway are in a state to go on in, judged by what is told of them. */
export class Liveness {
  readonly #maxStallMs: number;
  readonly #maxInternalErrors: number;
  readonly #now: () => number;
  readonly #totals = new WeakMap<object, number>();
  /** Errors that came since the last look, by when that was. */
  #recent: { readonly at: number; readonly count: number }[] = [];
  #stuckAt = Number.NEGATIVE_INFINITY;
  #servedAt: number;

  constructor({ maxStallMs, maxInternalErrors, now = () => performance.now() }: LivenessOptions) {
    this.#maxStallMs = maxStallMs;
    this.#maxInternalErrors = maxInternalErrors;
    this.#now = now;
    this.#servedAt = now();
  }

  /** An event loop of the gateway was stuck for so long, just now. */
  stalled(ms: number): void {
    if (this.#maxStallMs > 0 && ms > this.#maxStallMs) this.#stuckAt = this.#now();
  }

  /** How many internal errors a process has had since its start. */
  errors(process: object, total: number): void {
    const count = total - (this.#totals.get(process) ?? 0);
    if (count <= 0) return;
    this.#totals.set(process, total);
    this.#recent.push({ at: this.#now(), count });
    this.#forget();
  }

  /** Whether somebody serves now. */
  serves(somebody: boolean): void {
    if (somebody) this.#servedAt = this.#now();
  }

  /** Null as long as all is well. */
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
