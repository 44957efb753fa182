import { ROLES, type Role } from '../../discovery/discovery.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** A request that waits: for a leader, for a Broker, or for room. */
export interface PendingRequest {
  readonly role: Role;
  /** Requests of one flow go in order of arrival; flows take turns. */
  readonly flow: string;
  /** What it keeps in memory meanwhile. */
  readonly bytes: number;
  /** It waits for room and for nothing else: such requests have a queue of their own, shorter than the rest. */
  readonly needsCapacity: boolean;
  /** Whether it can go on now; also looks up why not, which may change `deadline`. */
  canGo(now: number): boolean;
  /** Milliseconds on the wait queue's clock at which it has waited long enough. */
  deadline(): number;
  go(): void;
  expire(): void;
  /** Something of its own threw; it waits no more. */
  onInternalError(error: unknown): void;
}

/** Which bound keeps a request from waiting. */
export type WaitRefusal = 'closed' | 'requests' | 'bytes' | 'queue';

export interface WaitQueue {
  /** Null when the request has been taken. */
  park(request: PendingRequest): WaitRefusal | null;
  leave(request: PendingRequest): void;
  /** There is room for a request of this role that there was not before. */
  capacityFreed(role: Role): void;
  waiting(role: Role): number;
  /** How many of these wait for room. */
  queued(role: Role): number;
  /** Lets all who wait expire, now and from now on. */
  close(): void;
}

/** What tells the wait queue that looking again may be worth it. */
export interface ViewSource {
  on(event: 'view', listener: () => void): unknown;
  off(event: 'view', listener: () => void): unknown;
}

export interface WaitQueueOptions {
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
  readonly flows: Map<string, Set<PendingRequest>>;
  /** How many of a flow came for room: those who came for a leader take no part of the queue from it. */
  readonly needingCapacity: Map<string, number>;
  waiting: number;
  queued: number;
  bytes: number;
}

/** The place where requests wait, first come first served within a flow. */
export function createWaitQueue(options: WaitQueueOptions): WaitQueue {
  const { cluster, maxQueued, byRole = {}, errors, now } = options;
  const queues = new Map<Role, Queue>(
    ROLES.map((role) => [
      role,
      { flows: new Map(), needingCapacity: new Map(), waiting: 0, queued: 0, bytes: 0 },
    ]),
  );
  /** As they were when they came: what a request waits for may change. */
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

  /** What a request throws ends its own waiting and nobody else's. */
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

  /** Its time is up; asked before and after `canGo`, which may find that it waits for something else by now. */
  function isOver(request: PendingRequest, time: number): boolean {
    try {
      return time >= request.deadline() && !request.canGo(time) && time >= request.deadline();
    } catch (error) {
      failed(request, error);
      return false;
    }
  }

  /**
   * Lets go who can, a flow at a time. `briefly` gives up on a flow with the first who cannot: room that one
   * request has left is not looked for by a thousand.
   */
  function release(queue: Queue, briefly: boolean, budget: number): number {
    let left = budget;
    const time = now();
    // A flow that has had its turn goes to the end, where this loop meets it again.
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

  function refusal(queue: Queue, request: PendingRequest): WaitRefusal | null {
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
      const queue = queueOf(request.role);
      const refused = refusal(queue, request);
      if (refused !== null) return refused;
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
