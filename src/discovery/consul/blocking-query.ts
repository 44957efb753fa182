import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { createBackoff } from '../../time/backoff.ts';
import { Nap } from '../../time/nap.ts';
import { ApiError, bounded, type HttpApi } from '../http-api.ts';

export interface BlockingQueryOptions {
  readonly api: HttpApi;
  /** The path without a query. */
  readonly path: string;
  /** Parameters besides those of the blocking. */
  readonly query: Readonly<Record<string, string>>;
  /**
   * Called with the parsed JSON of each answer, whether it differs or not; null if there is no such thing (404). `isPart` says
   * that the token may not read all of it.
   */
  readonly onAnswer: (body: unknown, isPart: boolean) => void;
  /** Consul has just been heard. */
  readonly onHeard: () => void;
  /** Consul cannot be read now; the end of a sentence without credentials. */
  readonly onAway: (why: string) => void;
  /** Where internal errors are reported; the query is then asked anew. */
  readonly errors: InternalErrors;
  readonly random: () => number;
  /** Longest delay between attempts, in ms. */
  readonly maxDelayMs: number;
  /** How long Consul may take to an answer that it does not hold, in ms. */
  readonly requestMs: number;
  /** How long Consul holds an answer, in seconds: each one is a sign of life. */
  readonly waitS: number;
}

export interface BlockingQuery {
  start(): void;
  /** How often it was asked anew, for an answer at once, after the first answer. */
  readonly restarts: number;
  /** Resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

/** Consul adds up to a sixteenth of the time that it is to wait ("Blocking Queries"). */
const LONGEST_WAIT = 1 + 1 / 16;
/** Least time between two answers, in ms: some changes come in hundreds, and each answer has all of them. */
const SHORTEST_MS = 50;
const MAX_BYTES = 32 * 1024 * 1024;
/** The agent's last word with a leader of Consul's must not be older, in ms. */
const LATEST_CONTACT_MS = 10_000;
const AFTER_ERROR_MS = 1_000;

/** Creates a query that is asked again and again, each time answered once something may have changed. */
export function createBlockingQuery(options: BlockingQueryOptions): BlockingQuery {
  return new Asking(options);
}

class Asking implements BlockingQuery {
  readonly #options: BlockingQueryOptions;
  readonly #backoff;
  readonly #ends = new AbortController();
  /** What the next answer is to be newer than; 0 for an answer at once. */
  #index = 0;
  /** Answers that came at once. */
  #beginnings = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  readonly #nap = new Nap();

  constructor(options: BlockingQueryOptions) {
    this.#options = options;
    const { random, maxDelayMs } = options;
    this.#backoff = createBackoff({ servers: 0, random, capMs: maxDelayMs });
  }

  get restarts(): number {
    return Math.max(0, this.#beginnings - 1);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ends.abort();
    this.#nap.wake();
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#stopped) {
      let delay = 0;
      const began = performance.now();
      try {
        await this.#ask();
        this.#backoff.ended(Number.POSITIVE_INFINITY);
        delay = Math.max(0, SHORTEST_MS - (performance.now() - began));
      } catch (error) {
        if (this.#stopped) return;
        // What it says after a failure may be of an earlier time than what we know.
        this.#index = 0;
        delay = this.#onError(error);
      }
      if (delay > 0 && !this.#stopped) await this.#nap.sleep(delay);
    }
  }

  async #ask(): Promise<void> {
    const { api, path, query, onAnswer, onHeard, requestMs, waitS } = this.#options;
    const blocking: Record<string, string> =
      this.#index === 0 ? {} : { index: String(this.#index), wait: `${waitS}s` };
    const headMs = this.#index === 0 ? requestMs : waitS * 1_000 * LONGEST_WAIT + requestMs;
    const asked = performance.now();
    const answer = await api.get(
      `${path}?${new URLSearchParams({ ...query, ...blocking })}`,
      headMs,
      this.#ends.signal,
      404,
    );
    const { headers, statusCode } = answer;
    const body = await bounded(answer, MAX_BYTES, requestMs);
    if (this.#stopped) return;
    if (headers['x-consul-knownleader'] === 'false') throw new ApiError('has no leader of its own');
    if (Number(headers['x-consul-lastcontact'] ?? 0) > LATEST_CONTACT_MS) {
      throw new ApiError('is out of touch with its own leader');
    }
    const index = Number(headers['x-consul-index']);
    // A real Consul never says 0, and no other server says anything.
    if (!Number.isSafeInteger(index) || index < 1) throw new ApiError('answered without an X-Consul-Index');
    const parsed = statusCode === 404 ? null : jsonOf(body);
    if (this.#index === 0) this.#beginnings++;
    // It goes back when Consul was restored or replaced: then everything is asked for anew. What Consul held when it was
    // restored comes early with what it was before, and with its index the next answer would be held until its time is over.
    const isEarly = index === this.#index && performance.now() - asked < waitS * 1_000;
    this.#index = index < this.#index || isEarly ? 0 : index;
    // Consul tells only whom it knows, and since 1.11.
    const isPart = headers['x-consul-results-filtered-by-acls'] === 'true';
    this.#guarded(() => onAnswer(parsed, isPart));
    this.#guarded(onHeard);
  }

  /** Returns how long to wait. */
  #onError(error: unknown): number {
    if (!(error instanceof ApiError)) {
      this.#options.errors.report('discovery', error);
      return AFTER_ERROR_MS;
    }
    this.#guarded(() => this.#options.onAway(error.message));
    const delay = this.#backoff.delay();
    this.#backoff.ended(0);
    return Math.max(error.retryAfterMs, delay);
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('discovery', error));
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new ApiError('answered with something other than JSON');
  }
}
