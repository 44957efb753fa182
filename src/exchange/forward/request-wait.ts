import type { ClusterView, LeaderView } from '../../cluster/view.ts';
import type { Role } from '../../discovery/discovery.ts';
import type { ReasonsOf } from '../../errors/catalogue.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import type { Target, UnavailableReason } from '../../routing/target.ts';
import type { PendingRequest, WaitRefusal } from '../limits/wait-queue.ts';
import type { ExchangeServices } from '../ports/services.ts';

/** A pause before a node that failed is asked again, unless the cluster's view changes first. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 250;
/** The same before an overloaded leader is asked again, which no view changes but one with another leader. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 1_000;

/** The answer to a request that may not even wait. */
const REFUSALS: Readonly<Record<Exclude<WaitRefusal, 'closed'>, ReasonsOf<'parking_full' | 'overloaded'>>> = {
  requests: 'parking_full',
  bytes: 'parking_full',
  queue: 'overloaded',
};

/** What waiting needs of the exchange. */
export type WaitServices = Pick<ExchangeServices, 'cluster' | 'waitQueue' | 'now'> & {
  readonly options: Pick<
    ExchangeServices['options'],
    'maxWaitMs' | 'maxWaitByRole' | 'maxWaitStaleMs' | 'maxQueueMs'
  >;
};

/** What a request does while it waits, for whom it waits, and what it does then. */
export interface WaitOwner {
  choose(): Target;
  /** Whether there is room for it now. */
  hasRoom(): boolean;
  go(): void;
  giveUp(error: GatewayError): void;
  /** Something of ours threw while it waited, which is over. */
  onInternalError(error: unknown): void;
}

/** What a waiting request is to the wait queue, besides its role. */
export interface WaitTraits {
  readonly lane: string;
  readonly bytes: number;
}

/**
 * The waiting of one request: all its waits for a leader or Broker together stay within one limit; a wait for room
 * has its own.
 */
export class RequestWait implements PendingRequest {
  readonly role: Role;
  readonly flow: string;
  readonly bytes: number;
  readonly #services: WaitServices;
  readonly #owner: WaitOwner;
  /** Since when it is in the queue; -1 while it is not. */
  #since = -1;
  #waitedMs = 0;
  #pauses = 0;
  #backoffs = 0;
  #notBefore = 0;
  #failedIn: ClusterView | null = null;
  /** Only another leader, or the same one elected anew, ends the pause. */
  #untilMoved = false;
  #reason: UnavailableReason | null = null;
  /** Since when it waits for nothing but room. */
  #needsCapacitySince = -1;
  #error: GatewayError | null = null;

  constructor(role: Role, services: WaitServices, owner: WaitOwner, { lane, bytes }: WaitTraits) {
    this.role = role;
    this.flow = lane;
    this.bytes = bytes;
    this.#services = services;
    this.#owner = owner;
  }

  /** All its waits together, in milliseconds. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  get needsCapacity(): boolean {
    return this.#reason === 'overloaded';
  }

  /** Waits for a target, `reason` being why there is none. */
  wait(reason: UnavailableReason): void {
    this.#because(reason);
    this.#park();
  }

  /**
   * Waits after a failed attempt, for a view that tells another story than `failedIn` (the view before the failure
   * was reported), or for a pause that grows with every failure. `redirected`: only another leader is another
   * story, since one that redirects to itself for a moment says all the while that it leads.
   */
  waitAfter(failedIn: ClusterView, error: GatewayError, redirected: boolean): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, LONGEST_PAUSE_MS);
    this.#pauses++;
    this.#pause(failedIn, error, redirected, pauseMs);
  }

  /**
   * Waits after a leader that serves has refused the request, since it has too much to do: for as long as it said, or
   * for a pause that grows with every time, unless another one leads. A pause that is longer than there is time ends
   * the request now.
   */
  backOff(failedIn: ClusterView, error: GatewayError, retryAfterMs: number | null): void {
    const pauseMs = retryAfterMs ?? Math.min(FIRST_BACKOFF_MS * 2 ** this.#backoffs, LONGEST_BACKOFF_MS);
    this.#backoffs++;
    if (pauseMs < this.#left()) {
      this.#pause(failedIn, error, true, pauseMs);
      return;
    }
    const retryAfter = Math.max(1, Math.ceil(pauseMs / 1_000));
    this.#owner.giveUp({ ...error, retryAfter });
  }

  /** Goes on as soon as there is a target and room: the leader that it was at leads no more. */
  goOn(error: GatewayError): void {
    this.#failedIn = null;
    this.#error = error;
    this.#goOrPark();
  }

  /** The client has left. */
  leave(): void {
    if (this.#since < 0) return;
    this.#services.waitQueue.leave(this);
    this.#count();
  }

  canGo(now: number): boolean {
    if (now < this.#notBefore && !this.#changed()) return false;
    const target = this.#owner.choose();
    if (target.kind === 'node' && this.#owner.hasRoom()) return true;
    this.#because(target.kind === 'node' ? 'overloaded' : target.reason);
    return false;
  }

  deadline(): number {
    if (this.needsCapacity) return this.#needsCapacitySince + this.#services.options.maxQueueMs;
    return this.#since + this.#left();
  }

  go(): void {
    this.#count();
    this.#owner.go();
  }

  expire(): void {
    this.#count();
    this.#owner.giveUp(this.#verdict());
  }

  onInternalError(error: unknown): void {
    this.#count();
    this.#owner.onInternalError(error);
  }

  #pause(failedIn: ClusterView, error: GatewayError, untilMoved: boolean, pauseMs: number): void {
    const { now } = this.#services;
    this.#failedIn = failedIn;
    this.#untilMoved = untilMoved;
    this.#error = error;
    this.#notBefore = now() + pauseMs;
    this.#goOrPark();
  }

  #goOrPark(): void {
    this.#because(null);
    if (this.canGo(this.#services.now())) {
      this.#owner.go();
      return;
    }
    this.#park();
  }

  #park(): void {
    this.#since = this.#services.now();
    if (this.deadline() <= this.#since) {
      this.#since = -1;
      this.#owner.giveUp(this.#verdict());
      return;
    }
    const refusal = this.#services.waitQueue.park(this);
    if (refusal === null) return;
    this.#since = -1;
    this.#owner.giveUp(refusal === 'closed' ? this.#verdict() : gatewayError(REFUSALS[refusal]));
  }

  #because(reason: UnavailableReason | null): void {
    if (reason === 'overloaded' && !this.needsCapacity) this.#needsCapacitySince = this.#services.now();
    this.#reason = reason;
  }

  #count(): void {
    if (this.#since < 0) return;
    this.#waitedMs += this.#services.now() - this.#since;
    this.#since = -1;
  }

  #left(): number {
    const { maxWaitMs, maxWaitByRole, maxWaitStaleMs } = this.#services.options;
    const limit =
      this.#reason === 'zookeeper_stale' ? maxWaitStaleMs : (maxWaitByRole[this.role] ?? maxWaitMs);
    return limit - this.#waitedMs;
  }

  #verdict(): GatewayError {
    if (this.#reason !== null) return gatewayError(this.#reason);
    return this.#error ?? gatewayError('no_leader');
  }

  #changed(): boolean {
    const { view } = this.#services.cluster;
    if (this.#failedIn === null) return true;
    if (this.role === 'broker') return view.version !== this.#failedIn.version;
    const [before, after] = [this.#failedIn.leaders[this.role], view.leaders[this.role]];
    if (isAnother(after, before)) return true;
    return !this.#untilMoved && (after.since !== before.since || after.state !== before.state);
  }
}

function isAnother(leader: LeaderView, before: LeaderView): boolean {
  return leader.node !== before.node || leader.term !== before.term;
}
