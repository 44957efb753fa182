import { ROLES, type Role } from '../../discovery/discovery.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** A request that waits: for a leader, for a Broker, or for room. */
export interface Waiter {
  readonly role: Role;
  /** Those of one lane go in the order in which they came, lanes by turns. */
  readonly lane: string;
  /** What it keeps in memory meanwhile. */
  readonly bytes: number;
  /** It waits for room and for nothing else: such requests have a queue of their own, shorter than the rest. */
  readonly crowded: boolean;
  /** Whether it can go on now; also looks up why not, which may change `deadline`. */
  canGo(now: number): boolean;
  /** Milliseconds on the parking's clock at which it has waited long enough. */
  deadline(): number;
  go(): void;
  expire(): void;
  /** Something of its own threw; it waits no more. */
  onInternalError(error: unknown): void;
}

/** Which bound keeps a request from waiting. */
export type ParkingRefusal = 'closed' | 'requests' | 'bytes' | 'queue';

export interface Parking {
  /** Null when the waiter has been taken. */
  park(waiter: Waiter): ParkingRefusal | null;
  leave(waiter: Waiter): void;
  /** There is room for a request of this role that there was not before. */
  room(role: Role): void;
  waiting(role: Role): number;
  /** How many of these wait for room. */
  queued(role: Role): number;
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
  /** Requests of one role that may wait at once. */
  readonly maxRequests: number;
  /** Bytes of bodies that requests of one role may keep while they wait. */
  readonly maxBytes: number;
  /** Bounds of their own for some roles. */
  readonly byRole?: Readonly<
    Partial<Record<Role, { readonly maxRequests?: number; readonly maxBytes?: number }>>
  >;
  /** Requests of one role that may wait for room; one client's at most half of it. */
  readonly maxQueued: number;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly now: () => number;
}

/** How many requests go on in one turn of the event loop: a new leader is not met by all who waited at once. */
const RELEASED_PER_TURN = 16;
/** Deadlines and pauses between attempts are looked at this often, by one timer for all. */
const TICK_MS = 20;

interface Queue {
  /** In the order of their turns. Sets keep the order of arrival and let one who leaves go in constant time. */
  readonly lanes: Map<string, Set<Waiter>>;
  /** How many of a lane came for room: those who came for a leader take no part of the queue from it. */
  readonly crowded: Map<string, number>;
  waiting: number;
  queued: number;
  bytes: number;
}

/** The place where requests wait, first come first served within a lane. */
export function createParking(options: ParkingOptions): Parking {
  const { cluster, maxQueued, byRole = {}, errors, now } = options;
  const queues = new Map<Role, Queue>(
    ROLES.map((role) => [role, { lanes: new Map(), crowded: new Map(), waiting: 0, queued: 0, bytes: 0 }]),
  );
  /** As they were when they came: what a waiter waits for may change. */
  const parked = new Map<Waiter, { readonly crowded: boolean; readonly bytes: number }>();
  const roomy = new Set<Role>();
  let closed = false;
  let timer: NodeJS.Timeout | null = null;
  let scheduled = false;
  let everywhere = false;

  const queueOf = (role: Role): Queue => queues.get(role) as Queue;

  function remove(waiter: Waiter): boolean {
    const entry = parked.get(waiter);
    if (entry === undefined) return false;
    parked.delete(waiter);
    const queue = queueOf(waiter.role);
    queue.waiting--;
    queue.bytes -= entry.bytes;
    if (entry.crowded) {
      queue.queued--;
      const left = (queue.crowded.get(waiter.lane) ?? 0) - 1;
      if (left > 0) queue.crowded.set(waiter.lane, left);
      else queue.crowded.delete(waiter.lane);
    }
    const lane = queue.lanes.get(waiter.lane);
    lane?.delete(waiter);
    if (lane?.size === 0) queue.lanes.delete(waiter.lane);
    if (parked.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
    return true;
  }

  const onError = (error: unknown): void => errors.report('request', error);

  /** What a waiter throws ends its own waiting and nobody else's. */
  function failed(waiter: Waiter, error: unknown): void {
    remove(waiter);
    contain(() => waiter.onInternalError(error), onError);
  }

  function canGo(waiter: Waiter, time: number): boolean {
    try {
      return waiter.canGo(time);
    } catch (error) {
      failed(waiter, error);
      return false;
    }
  }

  function leaves(waiter: Waiter, how: 'go' | 'expire'): void {
    if (!remove(waiter)) return;
    try {
      waiter[how]();
    } catch (error) {
      failed(waiter, error);
    }
  }

  /** Its time is up; asked before and after `canGo`, which may find that it waits for something else by now. */
  function isOver(waiter: Waiter, time: number): boolean {
    try {
      return time >= waiter.deadline() && !waiter.canGo(time) && time >= waiter.deadline();
    } catch (error) {
      failed(waiter, error);
      return false;
    }
  }

  /**
   * Lets go who can, a lane at a time. `briefly` gives up on a lane with the first who cannot: room that one
   * request has left is not looked for by a thousand.
   */
  function release(queue: Queue, briefly: boolean, budget: number): number {
    let left = budget;
    const time = now();
    // A lane that has had its turn goes to the end, where this loop meets it again.
    for (const [key, lane] of queue.lanes) {
      for (const waiter of lane) {
        if (!canGo(waiter, time)) {
          if (briefly) break;
          continue;
        }
        if (left === 0) return 0;
        left--;
        queue.lanes.delete(key);
        if (lane.size > 1) queue.lanes.set(key, lane);
        leaves(waiter, 'go');
        break;
      }
    }
    return left;
  }

  function look(): void {
    let left = RELEASED_PER_TURN;
    for (const [role, queue] of queues) {
      if (queue.waiting === 0 || !(everywhere || roomy.has(role))) continue;
      left = release(queue, !everywhere, left);
      if (left === 0) {
        lookAgain();
        return;
      }
    }
    everywhere = false;
    roomy.clear();
  }

  function lookAgain(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      contain(look, onError);
    });
  }

  function lookEverywhere(): void {
    everywhere = true;
    lookAgain();
  }

  function tick(): void {
    const time = now();
    for (const waiter of parked.keys()) {
      if (closed || isOver(waiter, time)) {
        leaves(waiter, 'expire');
      }
    }
    lookEverywhere();
  }

  function refusal(queue: Queue, waiter: Waiter): ParkingRefusal | null {
    if (closed) return 'closed';
    if (waiter.crowded) {
      const ofLane = queue.crowded.get(waiter.lane) ?? 0;
      if (queue.queued >= maxQueued || ofLane >= Math.ceil(maxQueued / 2)) return 'queue';
    }
    const { maxRequests, maxBytes } = { ...options, ...byRole[waiter.role] };
    if (queue.waiting >= maxRequests) return 'requests';
    return queue.bytes + waiter.bytes > maxBytes ? 'bytes' : null;
  }

  cluster.on('view', lookEverywhere);

  return {
    park(waiter) {
      const queue = queueOf(waiter.role);
      const refused = refusal(queue, waiter);
      if (refused !== null) return refused;
      const { lane, crowded, bytes } = waiter;
      const peers = queue.lanes.get(lane);
      if (peers === undefined) queue.lanes.set(lane, new Set([waiter]));
      else peers.add(waiter);
      parked.set(waiter, { crowded, bytes });
      queue.waiting++;
      queue.bytes += bytes;
      if (crowded) {
        queue.queued++;
        queue.crowded.set(lane, (queue.crowded.get(lane) ?? 0) + 1);
      }
      timer ??= setInterval(() => contain(tick, onError), TICK_MS);
      return null;
    },
    leave: (waiter) => void remove(waiter),
    room(role) {
      if (queueOf(role).waiting === 0) return;
      roomy.add(role);
      lookAgain();
    },
    waiting: (role) => queueOf(role).waiting,
    queued: (role) => queueOf(role).queued,
    close() {
      closed = true;
      cluster.off('view', lookEverywhere);
      tick();
    },
  };
}
