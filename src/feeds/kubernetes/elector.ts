import { ApiError } from '../../discovery/http-api.ts';
import type { Fields } from '../../discovery/json-fields.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { type Backoff, createBackoff } from '../../time/backoff.ts';
import { Nap } from '../../time/nap.ts';
import { changedLease, type LeaseRecord, microTime, newLease, readLease } from './lease-record.ts';
import { type ApiObjects, isConflict } from './objects.ts';

/** Whether to take the Lease where it is free, only to keep it where it is held, or to give it back. */
export type Candidacy = 'take' | 'keep' | 'yield';

export interface ElectorTimes {
  /** How long others wait for a holder of whom nothing is heard, in ms; a whole number of seconds, at least 1. */
  readonly leaseMs: number;
  /** A holder that could not renew it for so long has lost it, in ms; shorter than the lease. */
  readonly renewMs: number;
  /** Between two attempts, in ms; shorter than that. */
  readonly retryMs: number;
}

export interface ElectorOptions extends ElectorTimes {
  readonly objects: ApiObjects;
  /** The name of the Lease. */
  readonly lease: string;
  /** Another one for each process. */
  readonly identity: string;
  readonly candidacy: () => Candidacy;
  /** Resolves when nothing that only a holder may do is under way. Never rejects. */
  readonly quiet: () => Promise<void>;
  /** This process holds the Lease now, or does not any more, or somebody else holds it. */
  readonly onChange: () => void;
  /** What came of an attempt: one sentence without credentials; null if all is well, whoever holds it. */
  readonly onAttempt: (problem: string | null) => void;
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock?: () => number;
  readonly random?: () => number;
}

/** As `JitterFactor` of client-go: candidates must not ask in step. */
const JITTER = 1.2;
/** How long giving the Lease back may take, in ms: longer, and it ends by itself. */
const RELEASE_MS = 2_000;

interface Observed extends LeaseRecord {
  /** By our own clock, when it was first seen so. */
  readonly at: number;
}

/**
 * Takes and renews a Lease (coordination.k8s.io/v1) as `leaderelection` of client-go does. Times in the Lease are not
 * looked at: who does not hold it waits until it has not changed for its length by his own clock, and who holds it
 * acts only for `renewMs` after he began his last renewal that succeeded, which is less. An update is refused (409)
 * if anybody else's came first.
 */
export class Elector {
  readonly #options: ElectorOptions;
  readonly #clock: () => number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  /** The Lease as it was last stored. */
  #stored: Fields | null = null;
  #observed: Observed | null = null;
  /** When the last renewal that succeeded began; null if the Lease is not ours. */
  #renewedAt: number | null = null;
  #retryAfterMs = 0;
  #shownHolder = '';
  #ends = new AbortController();
  readonly #nap = new Nap();
  #woken = false;
  #turn: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(options: ElectorOptions) {
    this.#options = options;
    const {
      clock = () => performance.now(),
      now = Date.now,
      random = Math.random,
      retryMs,
      leaseMs,
    } = options;
    this.#clock = clock;
    this.#now = now;
    this.#random = random;
    this.#backoff = createBackoff({ servers: 1, random, baseMs: retryMs, capMs: leaseMs });
  }

  /** How long this process may still act as the holder, in ms; 0 if it does not hold the Lease. */
  get heldForMs(): number {
    return this.#renewedAt === null
      ? 0
      : Math.max(0, this.#renewedAt + this.#options.renewMs - this.#clock());
  }

  /** Who holds the Lease as far as is known; empty if nobody does. */
  get holder(): string {
    return this.#observed?.holder ?? '';
  }

  /** Stands for this process and this time that it holds the Lease. */
  get term(): string {
    return `${this.#options.identity}/${this.#observed?.transitions ?? 0}`;
  }

  start(): void {
    this.#stopped = false;
    this.#ends = new AbortController();
    this.#loop = this.#run();
  }

  /** Looks again whether to take, keep or yield. */
  look(): void {
    this.#woken = true;
    this.#nap.wake();
  }

  /** Renews the Lease at once. Resolves to whether this process holds it. Never rejects. */
  async confirm(): Promise<boolean> {
    await this.#attempt();
    return this.heldForMs > 0;
  }

  /** Gives the Lease back if it is held, and ends. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ends.abort();
    this.#nap.wake();
    await this.#loop;
    await this.#release();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      const candidacy = this.#options.candidacy();
      if (candidacy === 'yield') {
        if (this.#renewedAt !== null) await this.#release();
      } else await this.#attempt();
      if (!this.#woken && !this.#stopped) await this.#nap.sleep(this.#delay());
    }
  }

  #delay(): number {
    const { retryMs } = this.#options;
    if (this.heldForMs > 0) return retryMs;
    const failed = this.#backoff.delay();
    return Math.max(this.#retryAfterMs, failed, retryMs * (1 + this.#random() * JITTER));
  }

  /** One after the other: two attempts at the same time would refuse each other. */
  #attempt(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#tryOnce());
    return this.#turn;
  }

  async #tryOnce(): Promise<void> {
    if (this.#stopped || this.#options.candidacy() === 'yield') return;
    let problem: string | null = null;
    this.#retryAfterMs = 0;
    try {
      await this.#acquireOrRenew();
      // Whoever answered is there, also if it was somebody else's turn.
      this.#backoff.ended(Number.POSITIVE_INFINITY);
    } catch (error) {
      if (this.#stopped) return;
      this.#backoff.ended(0);
      if (error instanceof ApiError) {
        this.#retryAfterMs = error.retryAfterMs;
        problem = error.message;
      } else {
        this.#options.errors.report('admin', error);
        problem = 'could not be asked';
      }
    }
    if (this.#renewedAt !== null && this.heldForMs === 0) this.#renewedAt = null;
    this.#options.onAttempt(problem);
    this.#show();
  }

  async #acquireOrRenew(): Promise<void> {
    const { objects, lease, identity, candidacy } = this.#options;
    // The holder mostly knows the present version.
    if (this.heldForMs > 0 && this.#stored !== null) {
      const began = this.#clock();
      try {
        this.#hold(await this.#update(this.#stored, this.#observed), began);
        return;
      } catch (error) {
        if (!isConflict(error, 'update')) throw error;
      }
    }
    const began = this.#clock();
    const found = await objects.get('Lease', lease, this.#limitMs, this.#ends.signal);
    if (found !== null) this.#observe(found);
    const isOurs = found !== null && this.holder === identity;
    if (!isOurs && (this.#isHeld(found) || candidacy() !== 'take')) {
      this.#renewedAt = null;
      return;
    }
    try {
      const stored =
        found === null
          ? await objects.create('Lease', newLease(lease, this.#wish(null)), this.#limitMs, this.#ends.signal)
          : await this.#update(found, this.#observed);
      this.#hold(stored, began);
    } catch (error) {
      // Somebody else was faster; the next attempt shows who.
      if (!isConflict(error, found === null ? 'create' : 'update')) throw error;
    }
  }

  #update(lease: Fields, record: LeaseRecord | null): Promise<Fields> {
    const { objects, lease: name } = this.#options;
    const changed = changedLease(lease, this.#wish(record));
    return objects.update('Lease', name, changed, this.#limitMs, this.#ends.signal);
  }

  /** What to write over a record in order to hold the Lease. */
  #wish(record: LeaseRecord | null): Parameters<typeof changedLease>[1] {
    const { identity, leaseMs } = this.#options;
    const now = this.#now();
    const isOurs = record?.holder === identity;
    return {
      holder: identity,
      leaseMs,
      transitions: record === null ? 0 : record.transitions + (isOurs ? 0 : 1),
      acquireTime: (isOurs && record?.acquireTime) || microTime(now),
      renewedAt: now,
    };
  }

  #hold(stored: Fields, began: number): void {
    // Whoever was told meanwhile that it is not held has to be told, although nobody else held it.
    if (this.heldForMs === 0) this.#shownHolder = '';
    this.#observe(stored);
    this.#renewedAt = began;
  }

  #observe(lease: Fields): void {
    this.#stored = lease;
    const record = readLease(lease);
    if (record.text !== this.#observed?.text) this.#observed = { ...record, at: this.#clock() };
  }

  /** Whether somebody holds the Lease that was last observed. */
  #isHeld(found: Fields | null): boolean {
    if (found === null || this.#observed === null) return false;
    const { holder, leaseMs, at } = this.#observed;
    return holder !== '' && at + (leaseMs ?? this.#options.leaseMs) > this.#clock();
  }

  /** Half of what a renewal has, so that another attempt fits. */
  get #limitMs(): number {
    return this.#options.renewMs / 2;
  }

  async #release(): Promise<void> {
    await this.#turn;
    const isOurs = this.holder === this.#options.identity;
    this.#renewedAt = null;
    await this.#options.quiet();
    if (isOurs) {
      const late = AbortSignal.timeout(RELEASE_MS);
      try {
        await this.#giveBack(late);
      } catch {
        // It ends by itself after its length.
      }
    }
    this.#show();
  }

  async #giveBack(signal: AbortSignal): Promise<void> {
    const { objects, lease, identity } = this.#options;
    // A renewal that was cut off may have been stored, and then there is another version.
    for (let known = this.#stored; known !== null; ) {
      const record = readLease(known);
      if (record.holder !== identity) return;
      const now = this.#now();
      const free = { ...record, holder: '', leaseMs: 1_000, acquireTime: microTime(now), renewedAt: now };
      try {
        this.#observe(await objects.update('Lease', lease, changedLease(known, free), RELEASE_MS, signal));
        return;
      } catch (error) {
        if (!isConflict(error, 'update')) throw error;
        known = await objects.get('Lease', lease, RELEASE_MS, signal);
      }
    }
  }

  /** Tells of a change of the holder. */
  #show(): void {
    const shown = this.heldForMs > 0 ? this.#options.identity : `not held: ${this.holder}`;
    if (shown === this.#shownHolder) return;
    this.#shownHolder = shown;
    this.#options.onChange();
  }
}
