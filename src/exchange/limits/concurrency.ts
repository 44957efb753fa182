import type { Role } from '../../discovery/discovery.ts';

export interface ConcurrencyLimits {
  /** Requests under way at once, all roles together; 0 is no limit, here and below. */
  readonly total: number;
  readonly roles: Readonly<Record<Role, number>>;
  readonly perClient: number;
  /** The largest part of a role's limit that large requests may take, so that small ones always find room. */
  readonly largeShare: number;
}

/** What a request takes room for. */
export interface CapacityClaim {
  readonly role: Role;
  /** Who asks: an address. */
  readonly client: string;
  /** Its body is large or of unknown length, or its answer is a download. */
  readonly large: boolean;
}

/** Which limit has no room: the gateway's, or the client's own. */
export type LimitReached = 'overloaded' | 'client';

/** Counts requests under way against the limits. A request counts while it is at a node, not while it waits. */
export interface Concurrency {
  /** Null when there is room now. */
  limitReached(claim: CapacityClaim): LimitReached | null;
  /** Takes room, also where there is none. */
  enter(claim: CapacityClaim): void;
  /** Gives it back: once for every `enter`. */
  leave(claim: CapacityClaim): void;
  under(role: Role): number;
}

/** `onRoom` is called after every `leave`. */
export function createConcurrency(limits: ConcurrencyLimits, onRoom: (role: Role) => void): Concurrency {
  const running: Record<Role, number> = { coordinator: 0, overlord: 0, broker: 0 };
  const large: Record<Role, number> = { coordinator: 0, overlord: 0, broker: 0 };
  const clients = new Map<string, number>();
  let total = 0;

  const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit;
  const largeLimit = (role: Role): number =>
    limits.roles[role] === 0 ? 0 : Math.max(1, Math.floor(limits.roles[role] * limits.largeShare));

  return {
    limitReached({ role, client, large: isLarge }) {
      if (limits.perClient > 0 && reached(clients.get(client) ?? 0, limits.perClient)) return 'client';
      if (reached(total, limits.total) || reached(running[role], limits.roles[role])) return 'overloaded';
      return isLarge && reached(large[role], largeLimit(role)) ? 'overloaded' : null;
    },
    enter({ role, client, large: isLarge }) {
      total++;
      running[role]++;
      if (isLarge) large[role]++;
      if (limits.perClient > 0) clients.set(client, (clients.get(client) ?? 0) + 1);
    },
    leave({ role, client, large: isLarge }) {
      total--;
      running[role]--;
      if (isLarge) large[role]--;
      if (limits.perClient > 0) {
        const left = (clients.get(client) ?? 0) - 1;
        if (left > 0) clients.set(client, left);
        else clients.delete(client);
      }
      onRoom(role);
    },
    under: (role) => running[role],
  };
}
