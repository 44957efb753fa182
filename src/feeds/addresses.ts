import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** Returns an IP address of a name. Rejects if there is none. */
export type Lookup = (name: string) => Promise<string>;

export interface AddressesOptions {
  /** By default that of the system, with its files and its order. */
  readonly lookup?: Lookup;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

interface Known {
  /** The last address; null if there never was one. */
  address: string | null;
  askAt: number;
  /** Under way; null if nobody asks. */
  asking: Promise<void> | null;
}

/** After so long a name is looked up again, in ms; its former address serves meanwhile. */
const FRESH_MS = 30_000;
/** The same for a name that could not be resolved. */
const RETRY_MS = 1_000;
/** Names of nodes that have not been asked for so long are forgotten, in ms. */
const FORGET_MS = 600_000;

/** IP addresses of names, for engines that take no names. What was resolved once stays until there is something newer. */
export class Addresses {
  readonly #lookup: Lookup;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  #changes = 0;
  #forgetAt = 0;

  constructor({ lookup, now = () => performance.now() }: AddressesOptions = {}) {
    this.#lookup = lookup ?? (async (name) => (await systemLookup(name)).address);
    this.#now = now;
  }

  /**
   * Sees to it that each host has been looked up. Waits only for names that have no address yet, and those at most as
   * long as the system tries. Never rejects: a name without an address has none.
   */
  async know(hosts: Iterable<string>): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const host of hosts) {
      if (isIP(host) !== 0) continue;
      const known = this.#refreshed(host);
      if (known.address === null && known.asking !== null) waits.push(known.asking);
    }
    this.#forget();
    await Promise.all(waits);
  }

  /** Grows whenever an address changes. */
  get changes(): number {
    return this.#changes;
  }

  /** The address of a host, which may be an address itself; null if it is not known. */
  of(host: string): string | null {
    return isIP(host) !== 0 ? host : (this.#known.get(host)?.address ?? null);
  }

  #refreshed(host: string): Known {
    let known = this.#known.get(host);
    if (known === undefined) {
      known = { address: null, askAt: Number.NEGATIVE_INFINITY, asking: null };
      this.#known.set(host, known);
    }
    if (known.asking === null && this.#now() >= known.askAt) known.asking = this.#ask(host, known);
    return known;
  }

  async #ask(host: string, known: Known): Promise<void> {
    let address: string | null = null;
    try {
      const found = await this.#lookup(host);
      address = isIP(found) === 0 ? null : found;
    } catch {
      // A name that does not resolve now is asked for again, and keeps the address that it had.
    }
    if (address !== null && address !== known.address) {
      known.address = address;
      this.#changes++;
    }
    known.askAt = this.#now() + (address === null ? RETRY_MS : FRESH_MS);
    known.asking = null;
  }

  #forget(): void {
    const now = this.#now();
    if (now < this.#forgetAt) return;
    this.#forgetAt = now + FORGET_MS;
    for (const [host, { askAt, asking }] of this.#known) {
      if (asking === null && now - askAt > FORGET_MS) this.#known.delete(host);
    }
  }
}
