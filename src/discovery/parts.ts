import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { SourceState, SourceStatus } from './discovery.ts';

/** One thing that a source reads by itself, such as one list with its watch. */
export interface Part {
  /** For messages, with what is asked for it: `pods in druid: the API server`. */
  readonly name: string;
  /** Epoch milliseconds when it was last heard; 0 before it was read whole. */
  readonly readAt: number;
}

interface OpenPart extends Part {
  readAt: number;
  /** Why it cannot be read now; null if it can, or if nothing is known yet. */
  away: string | null;
}

export interface PartsOptions {
  readonly onStatus: (status: SourceStatus) => void;
  /** For how long one may be away before the source counts as lost, in ms: as long as a leader may be silent. */
  readonly lostAfterMs: () => number;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * The state of a source without a session, made of the states of its parts: `connected` while all of them are heard,
 * `suspended` once one cannot be read, and `lost` after a time of that.
 */
export class Parts {
  readonly #options: PartsOptions;
  readonly #parts: OpenPart[] = [];
  #status: SourceStatus;
  #lostTimer: NodeJS.Timeout | null = null;

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#status = { state: 'connecting', since: options.now(), detail: null };
  }

  get status(): SourceStatus {
    return this.#status;
  }

  /** Epoch milliseconds when the part that was heard longest ago was heard; 0 before each has been read once. */
  get readAt(): number {
    return Math.min(...this.#parts.map(({ readAt }) => readAt));
  }

  add(name: string): Part {
    const part: OpenPart = { name, readAt: 0, away: null };
    this.#parts.push(part);
    return part;
  }

  /** It has just been heard: what is known of it is what there is now. */
  heard(part: Part): void {
    const open = part as OpenPart;
    open.readAt = this.#options.now();
    open.away = null;
    this.#judge();
  }

  /** It cannot be read now. `why` completes a sentence that begins with its name. */
  away(part: Part, why: string): void {
    (part as OpenPart).away = why;
    this.#judge();
  }

  close(): void {
    this.#stopTimer();
    this.#turn('closed', null);
  }

  #judge(): void {
    const out = this.#parts.filter(({ away }) => away !== null);
    const { state } = this.#status;
    if (out.length === 0) {
      this.#turn(this.readAt > 0 ? 'connected' : state, null);
      return;
    }
    const detail = out.map(({ name, away }) => `${name} ${away}`).join('; ');
    this.#turn(state === 'connected' ? 'suspended' : state, detail);
    if (state === 'connected') this.#loseLater();
  }

  #loseLater(): void {
    const { lostAfterMs, errors } = this.#options;
    this.#stopTimer();
    this.#lostTimer = setTimeout(
      () =>
        contain(
          () => this.#turn('lost', this.#status.detail),
          (error) => errors.report('discovery', error),
        ),
      lostAfterMs(),
    );
  }

  #stopTimer(): void {
    if (this.#lostTimer !== null) clearTimeout(this.#lostTimer);
    this.#lostTimer = null;
  }

  #turn(state: SourceState, detail: string | null): void {
    const before = this.#status;
    if (before.state === 'closed' || (before.state === state && before.detail === detail)) return;
    if (state === 'connected') this.#stopTimer();
    this.#status = { state, since: before.state === state ? before.since : this.#options.now(), detail };
    this.#options.onStatus(this.#status);
  }
}
