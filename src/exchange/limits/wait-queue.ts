import { ROLES, type Role } from '../../discovery/discovery.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** A request that waits for a leader, for a Broker, or for capacity. */
export interface PendingRequest {
  readonly role: Role;
  /** Requests of one flow go in order of arrival. Flows take turns. */
  readonly flow: string;
  /** Bytes of body that it keeps in memory while it waits. */
  readonly bytes: number;
  /** It waits for capacity only. Such requests have a separate, shorter queue. */
  readonly needsCapacity: boolean;
  /** Whether it can go on now. The check also updates why it cannot, which may change `deadline`. */
  canGo(now: number): boolean;
  /** When its wait ends, in milliseconds on the wait queue's clock. */
  deadline(): number;
  go(): void;
  expire(): void;
  /** One of its own calls threw. It no longer waits. */
  onInternalError(error: unknown): void;
}

/** What decides whether a request may wait. */
export type WaitClaim = Pick<PendingRequest, 'role' | 'flow' | 'bytes' | 'needsCapacity'>;

/** The bound that keeps a request from waiting. */
export type WaitRefusal = 'closed' | 'requests' | 'bytes' | 'queue';

export interface WaitQueue {
  /** Adds the request to the queue. Returns null on success, else the bound that refused it. */
  park(request: PendingRequest): WaitRefusal | null;
  /** Returns the bound that would refuse the request now; null if it could wait. Changes nothing. */
  refusal(request: WaitClaim): WaitRefusal | null;
  leave(request: PendingRequest): void;
  /** Capacity for a request of this role has been freed. */
  capacityFreed(role: Role): void;
  waiting(role: Role): number;
  /** Requests of this role that wait for capacity only; `waiting` includes them. */
  queued(role: Role): number;
  /** Expires all waiting requests. From now on `park` refuses with `closed`. */
  close(): void;
}

/** The events after which the wait queue checks its requests again. */
export interface ViewSource {
  on(event: 'view', listener: () => void): unknown;
  off(event: 'view', listener: () => void): unknown;
}

export interface WaitQueueOptions {
  readonly cluster: ViewSource;
  /** Most requests of one role that may wait at once. */
  readonly maxRequests: number;
  /** Most bytes of bodies that waiting requests of one role may keep. */
  readonly maxBytes: number;
  /** Bounds for single roles; they replace the ones above. */
  readonly byRole?: Readonly<
    Partial<Record<Role, { readonly maxRequests?: number; readonly maxBytes?: number }>>
  >;
  /** Most requests of one role that may wait for capacity. One flow gets at most half of it. */
  readonly maxQueued: number;
  /** Receives errors of the gateway's own code. */
  readonly errors: InternalErrors;
  readonly now: () => number;
}

/** Requests released per turn of the event loop. A new leader does not get all waiting requests at once. */
const RELEASED_PER_TURN = 16;
/** Interval at which one timer checks all deadlines and the pauses between attempts. */
const TICK_MS = 20;

interface Queue {
  /** In the order of their turns. A `Set` keeps the order of arrival and removes a request in constant time. */
  readonly flows: Map<string, Set<PendingRequest>>;
  /** Requests of each flow that came for capacity. Requests that came for a leader do not count against the flow. */
  readonly needingCapacity: Map<string, number>;
  waiting: number;
  queued: number;
  bytes: number;
}

/** Creates the queue in which requests wait, first come first served within a flow. */
export function createWaitQueue(options: WaitQueueOptions): WaitQueue {
  const { cluster, maxQueued, byRole = {}, errors, now } = options;
  const queues = new Map<Role, Queue>(
    ROLES.map((role) => [
      role,
      { flows: new Map(), needingCapacity: new Map(), waiting: 0, queued: 0, bytes: 0 },
    ]),
  );
  /** The values at the request's arrival, because what it waits for may change. */
  const parked = new Map<PendingRequest, { readonly needsCapacity: boolean; readonly bytes: number }>();
  const withCapacity = new Set<Role>();
  let closed = false;
  let timer: NodeJS.Timeout | null = null;
  let scheduled = false;
  let everywhere = false;

  const queueOf = (role: Role): Queue => queues.get(role) as Queue;

  function remove(request: PendingRequest): boolean {
    const entry = parked.get(request);
    if (entry === undefined) return false;
    parked.delete(request);
    const queue = queueOf(request.role);
    queue.waiting--;
    queue.bytes -= entry.bytes;
    if (entry.needsCapacity) {
      queue.queued--;
      const left = (queue.needingCapacity.get(request.flow) ?? 0) - 1;
      if (left > 0) queue.needingCapacity.set(request.flow, left);
      else queue.needingCapacity.delete(request.flow);
    }
    const flow = queue.flows.get(request.flow);
    flow?.delete(request);
    if (flow?.size === 0) queue.flows.delete(request.flow);
    if (parked.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
    return true;
  }

  const onError = (error: unknown): void => errors.report('request', error);

  /** An error of one request ends the wait of that request only. */
  function failed(request: PendingRequest, error: unknown): void {
    remove(request);
    contain(() => request.onInternalError(error), onError);
  }

  function canGo(request: PendingRequest, time: number): boolean {
    try {
      return request.canGo(time);
    } catch (error) {
      failed(request, error);
      return false;
    }
  }

  function leaves(request: PendingRequest, how: 'go' | 'expire'): void {
    if (!remove(request)) return;
    try {
      request[how]();
    } catch (error) {
      failed(request, error);
    }
  }

  /**
   * Whether its time is up. Checks again after `canGo`, which may find that the request waits for something else now.
   */
  function isOver(request: PendingRequest, time: number): boolean {
    try {
      return time >= request.deadline() && !request.canGo(time) && time >= request.deadline();
    } catch (error) {
      failed(request, error);
      return false;
    }
  }

  /**
   * Releases requests that can go, one per flow and turn. `briefly` skips a flow after its first request that cannot
   * go, so one freed place does not cost a thousand checks.
   */
  function release(queue: Queue, briefly: boolean, budget: number): number {
    let left = budget;
    const time = now();
    // A flow that had its turn moves to the end, where this loop reaches it again.
    for (const [key, flow] of queue.flows) {
      for (const request of flow) {
        if (!canGo(request, time)) {
          if (briefly) break;
          continue;
        }
        if (left === 0) return 0;
        left--;
        queue.flows.delete(key);
        if (flow.size > 1) queue.flows.set(key, flow);
        leaves(request, 'go');
        break;
      }
    }
    return left;
  }

  function look(): void {
    let left = RELEASED_PER_TURN;
    for (const [role, queue] of queues) {
      if (queue.waiting === 0 || !(everywhere || withCapacity.has(role))) continue;
      left = release(queue, !everywhere, left);
      if (left === 0) {
        lookAgain();
        return;
      }
    }
    everywhere = false;
    withCapacity.clear();
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
    for (const request of parked.keys()) {
      if (closed || isOver(request, time)) {
        leaves(request, 'expire');
      }
    }
    lookEverywhere();
  }

  function refusal(request: WaitClaim): WaitRefusal | null {
    const queue = queueOf(request.role);
    if (closed) return 'closed';
    if (request.needsCapacity) {
      const ofLane = queue.needingCapacity.get(request.flow) ?? 0;
      if (queue.queued >= maxQueued || ofLane >= Math.ceil(maxQueued / 2)) return 'queue';
    }
    const { maxRequests, maxBytes } = { ...options, ...byRole[request.role] };
    if (queue.waiting >= maxRequests) return 'requests';
    return queue.bytes + request.bytes > maxBytes ? 'bytes' : null;
  }

  cluster.on('view', lookEverywhere);

  return {
    park(request) {
      const refused = refusal(request);
      if (refused !== null) return refused;
      const queue = queueOf(request.role);
      const { flow, needsCapacity, bytes } = request;
      const peers = queue.flows.get(flow);
      if (peers === undefined) queue.flows.set(flow, new Set([request]));
      else peers.add(request);
      parked.set(request, { needsCapacity, bytes });
      queue.waiting++;
      queue.bytes += bytes;
      if (needsCapacity) {
        queue.queued++;
        queue.needingCapacity.set(flow, (queue.needingCapacity.get(flow) ?? 0) + 1);
      }
      timer ??= setInterval(() => contain(tick, onError), TICK_MS);
      return null;
    },
    refusal,
    leave: (request) => void remove(request),
    capacityFreed(role) {
      if (queueOf(role).waiting === 0) return;
      withCapacity.add(role);
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
