import { ROLES, type Role } from '../discovery/discovery.ts';

/** A request that waits for a leader or a Broker. */
export interface Waiter {
  readonly role: Role;
  /** Whether it can go on now; also looks up why not, which may change `deadline`. */
  canGo(now: number): boolean;
  /** Milliseconds on the parking's clock at which it has waited long enough. */
  deadline(): number;
  go(): void;
  expire(): void;
}

export interface Parking {
  /** False when as many requests wait as may; the waiter has then not been taken. */
  park(waiter: Waiter): boolean;
  leave(waiter: Waiter): void;
  waiting(role: Role): number;
  /** Lets all who wait expire, now and from now on. */
  close(): void;
}

/** What tells the parking that looking again may be worth it. */
export interface ViewSource {
  on(event: 'view', listener: () => void): unknown;
  off(event: 'view', listener: () => void): unknown;
}

export interface ParkingOptions {
  readonly cluster: ViewSource;
  /** Requests that may wait at once, all roles together. */
  readonly maxRequests: number;
  readonly now: () => number;
}

/** How many requests go on in one turn of the event loop: a new leader is not met by all who waited at once. */
const RELEASED_PER_TURN = 16;
/** Deadlines and pauses between attempts are looked at this often, by one timer for all. */
const TICK_MS = 20;

/**
 * The place where requests wait, first come first served within a role. They are looked at with every new view
 * of the cluster and at every tick.
 */
export function createParking({ cluster, maxRequests, now }: ParkingOptions): Parking {
  // A Set keeps the order of arrival and lets one who leaves go in constant time.
  const queues = new Map<Role, Set<Waiter>>(ROLES.map((role) => [role, new Set()]));
  let count = 0;
  let closed = false;
  let timer: NodeJS.Timeout | null = null;
  let scheduled = false;

  const queue = (role: Role): Set<Waiter> => queues.get(role) ?? new Set();

  function remove(waiter: Waiter): boolean {
    if (!queue(waiter.role).delete(waiter)) return false;
    count--;
    if (count === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
    return true;
  }

  function look(): void {
    const time = now();
    let released = 0;
    for (const waiters of queues.values()) {
      for (const waiter of waiters) {
        if (waiter.canGo(time)) {
          if (released === RELEASED_PER_TURN) {
            lookAgain();
            return;
          }
          released++;
          if (remove(waiter)) waiter.go();
        } else if (closed || time >= waiter.deadline()) {
          if (remove(waiter)) waiter.expire();
        }
      }
    }
  }

  function lookAgain(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      look();
    });
  }

  cluster.on('view', lookAgain);

  return {
    park(waiter) {
      if (closed || count >= maxRequests) return false;
      queue(waiter.role).add(waiter);
      count++;
      timer ??= setInterval(look, TICK_MS);
      return true;
    },
    leave: (waiter) => void remove(waiter),
    waiting: (role) => queue(role).size,
    close() {
      closed = true;
      cluster.off('view', lookAgain);
      look();
    },
  };
}
