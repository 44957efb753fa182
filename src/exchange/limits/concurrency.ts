import type { Role } from '../../discovery/discovery.ts';

export interface ConcurrencyLimits {
  /** Most requests at nodes at once, all roles together. Here and below, 0 is no limit. */
  readonly total: number;
  readonly roles: Readonly<Record<Role, number>>;
  readonly perClient: number;
  /** Largest share of a role's limit that large requests may take. Small requests always find room in the rest. */
  readonly largeShare: number;
}

/** What a request's place counts against. */
export interface CapacityClaim {
  readonly role: Role;
  /** The client's address. */
  readonly client: string;
  /** Its body is large or of unknown length, or its answer is a download. */
  readonly large: boolean;
}

/** The limit that is reached: the gateway's, or the client's own. */
export type LimitReached = 'overloaded' | 'client';

/** Counts requests against the limits. A request counts while it is at a node, not while it waits. */
export interface Concurrency {
  /** The limit that leaves no room for the claim; null if there is room. */
  limitReached(claim: CapacityClaim): LimitReached | null;
  /** Takes a place for the claim, even if a limit is reached. */
  enter(claim: CapacityClaim): void;
  /** Gives the place back. Call it exactly once for every `enter`. */
  leave(claim: CapacityClaim): void;
  under(role: Role): number;
  /** Changes the limits. Requests that are at nodes count against the new ones, and none of them is ended. */
  setLimits(limits: ConcurrencyLimits): void;
}

interface ClientCount {
  running: number;
}

/** Clients that have nothing at a node are forgotten once there are more of them than this, and than others. */
const MOST_RESTING = 256;

/** Creates the counters. `onRoom` is called after every `leave`. */
export function createConcurrency(initial: ConcurrencyLimits, onRoom: (role: Role) => void): Concurrency {
  let limits = initial;
  const running: Record<Role, number> = { coordinator: 0, overlord: 0, broker: 0 };
  const large: Record<Role, number> = { coordinator: 0, overlord: 0, broker: 0 };
  let clients = new Map<string, ClientCount>();
  /** The client of the last claim: the next one is often the same. */
  let lastClient = '';
  let lastCount: ClientCount | null = null;
  /** How many of the clients have nothing at a node. */
  let resting = 0;
  let total = 0;

  function known(client: string): ClientCount | undefined {
    return lastCount !== null && client === lastClient ? lastCount : clients.get(client);
  }

  function countOf(client: string): ClientCount {
    let count = known(client);
    if (count === undefined) {
      count = { running: 0 };
      clients.set(client, count);
      resting++;
    }
    lastClient = client;
    lastCount = count;
    return count;
  }

  /**
   * All at once, and not each with its last request: a table in which entries come and go all the time is made anew all
   * the time, and one that has reached the old generation keeps all that follow it (`Crowd`).
   */
  function forgetResting(): void {
    const busy = [...clients].filter(([, { running }]) => running > 0);
    clients = new Map(busy);
    resting = 0;
    lastCount = null;
  }

  const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit;
  const largeLimit = (role: Role): number =>
    limits.roles[role] === 0 ? 0 : Math.max(1, Math.floor(limits.roles[role] * limits.largeShare));

  return {
    limitReached({ role, client, large: isLarge }) {
      if (limits.perClient > 0 && reached(known(client)?.running ?? 0, limits.perClient)) return 'client';
      if (reached(total, limits.total) || reached(running[role], limits.roles[role])) return 'overloaded';
      return isLarge && reached(large[role], largeLimit(role)) ? 'overloaded' : null;
    },
    enter({ role, client, large: isLarge }) {
      total++;
      running[role]++;
      if (isLarge) large[role]++;
      // Also without a limit: there may be one by the time of `leave`.
      const count = countOf(client);
      if (count.running === 0) resting--;
      count.running++;
    },
    leave({ role, client, large: isLarge }) {
      total--;
      running[role]--;
      if (isLarge) large[role]--;
      const count = countOf(client);
      count.running--;
      if (count.running === 0 && ++resting > MOST_RESTING && resting > clients.size / 2) forgetResting();
      onRoom(role);
    },
    under: (role) => running[role],
    setLimits(changed) {
      limits = changed;
    },
  };
}
