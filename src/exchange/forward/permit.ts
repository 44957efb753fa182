import type { Role } from '../../discovery/discovery.ts';
import type { CapacityClaim, Concurrency, LimitReached } from '../limits/concurrency.ts';

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
