import type { Role } from '../../discovery/discovery.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { CapacityClaim, Concurrency, LimitReached } from '../limits/concurrency.ts';
import type { WaitQueue } from '../limits/wait-queue.ts';

/** A request with a longer body, in bytes, or with one of unknown length, counts as large. */
const LARGE_BODY = 256 * 1024;

/** Whether a request leaves some room to others. `bodyLength` is -1 if unknown. */
export function isLarge({ class: routeClass }: ForwardRoute, bodyLength: number): boolean {
  return bodyLength < 0 || bodyLength > LARGE_BODY || routeClass === 'stream';
}

/** `enters`: there is room. `waits`: for room. `refused`: the client has as many requests at nodes as it may. */
export type Admission = 'enters' | 'waits' | 'refused';

/** One request's place in the concurrency limits, held while the request is at a node and never while it waits. */
export class Permit implements CapacityClaim {
  readonly role: Role;
  readonly client: string;
  readonly large: boolean;
  readonly #concurrency: Concurrency;
  #held = false;

  constructor(concurrency: Concurrency, role: Role, client: string, large: boolean) {
    this.#concurrency = concurrency;
    this.role = role;
    this.client = client;
    this.large = large;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The limit that is reached; null if the place is held or there is room. */
  get limitReached(): LimitReached | null {
    return this.#held ? null : this.#concurrency.limitReached(this);
  }

  /** The requests that it takes turns with while it waits; large ones have turns of their own. */
  get lane(): string {
    return this.large ? `large ${this.client}` : this.client;
  }

  /**
   * What the limits say to a request that has a target now. `first`: it has not waited yet, so those that do go before
   * it.
   */
  admission(first: boolean, waitQueue: Pick<WaitQueue, 'queued'>): Admission {
    const limit = this.limitReached;
    if (limit === 'client') return 'refused';
    return limit !== null || (first && waitQueue.queued(this.role) > 0) ? 'waits' : 'enters';
  }

  take(): void {
    if (this.#held) return;
    this.#concurrency.enter(this);
    this.#held = true;
  }

  /** Gives the place back. Repeated calls do nothing. */
  giveBack(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#concurrency.leave(this);
  }
}
