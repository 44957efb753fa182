import { OUTSIDE } from '../../collections/crowd.ts';
import type { BodySource } from '../../http/body.ts';
import type { BodyLimits, WatchedBody } from '../limits/body-limits.ts';

/** Why a body is not read to its end. */
export type BodyFault = 'slow' | 'starved';

/** Who is told of it. */
export interface BodyOwner {
  onBodyFault(fault: BodyFault): void;
  onInternalError(error: unknown): void;
}

/** A client must keep to the least rate over each so many milliseconds that it is waited for. */
const RATE_WINDOW_MS = 15_000;

/**
 * `stopped`: nobody wants the next piece. `reading`: the client is waited for, and its clock runs. `starved`: there is
 * no memory for the next piece.
 */
type ReadingState = 'stopped' | 'reading' | 'starved';

/** Reads one body from its door: as far as there is memory, and as long as its client keeps pace. */
export class BodyReading implements WatchedBody {
  readonly #source: BodySource;
  readonly #limits: BodyLimits;
  readonly #owner: BodyOwner | null;
  place = OUTSIDE;
  #state: ReadingState = 'stopped';
  /** Since when it is in this state, or when the last piece came. */
  #since = 0;
  /** Of the present window for the rate: how long the client has been waited for up to `#counted`, what has come. */
  #waitedMs = 0;
  #counted = 0;
  #bytes = 0;

  constructor(source: BodySource, limits: BodyLimits, owner: BodyOwner | null) {
    this.#source = source;
    this.#limits = limits;
    this.#owner = owner;
  }

  get starves(): boolean {
    return this.#state === 'starved';
  }

  /** The next piece is wanted; `keeps`: to be kept, for which there must be memory. */
  read(keeps: boolean): void {
    if (this.#state === 'reading' || (this.#state === 'starved' && keeps)) return;
    if (keeps && this.#limits.full) {
      this.#state = 'starved';
      this.#since = this.#limits.options.now();
      this.#limits.watch(this);
    } else this.#resume();
  }

  /** A piece has come. */
  came(bytes: number): void {
    this.#since = this.#limits.options.now();
    this.#bytes += bytes;
  }

  /** No more for now. */
  stop(): void {
    if (this.#state === 'reading') this.#count(this.#limits.options.now());
    this.end();
    this.#source.pause();
  }

  /** Nothing more is waited for. */
  end(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#limits.unwatch(this);
  }

  look(now: number, room: boolean): void {
    const { maxWaitMs } = this.#limits.options;
    if (this.#state === 'starved') {
      if (room) this.#resume();
      else if (now - this.#since >= maxWaitMs) this.#fail('starved');
    } else if (this.#state === 'reading' && this.#isSlow(now)) this.#fail('slow');
  }

  onInternalError(error: unknown): void {
    this.#owner?.onInternalError(error);
  }

  #resume(): void {
    this.#state = 'reading';
    this.#since = this.#limits.options.now();
    this.#counted = this.#since;
    this.#limits.watch(this);
    this.#source.resume();
  }

  #fail(fault: BodyFault): void {
    this.stop();
    this.#owner?.onBodyFault(fault);
  }

  #count(now: number): void {
    this.#waitedMs += now - this.#counted;
    this.#counted = now;
  }

  #isSlow(now: number): boolean {
    const { idleTimeoutMs, minRate } = this.#limits.options;
    if (idleTimeoutMs > 0 && now - this.#since > idleTimeoutMs) return true;
    this.#count(now);
    if (this.#waitedMs < RATE_WINDOW_MS) return false;
    const slow = this.#bytes * 1000 < minRate * this.#waitedMs;
    this.#waitedMs = 0;
    this.#bytes = 0;
    return slow;
  }
}
