import type { ClusterView, LeaderView } from '../../cluster/view.ts';
import type { Role } from '../../discovery/discovery.ts';
import type { ReasonsOf } from '../../errors/catalogue.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import type { Target, UnavailableReason } from '../../routing/target.ts';
import type { PendingRequest, WaitRefusal } from '../limits/wait-queue.ts';
import type { LeaderWait } from '../ports/record.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { WaitSpan } from '../ports/tracing.ts';

/** The pause before a failed node is asked again. A change of the cluster's view ends it early. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 250;
/** The same before an overloaded leader is asked again. Only a view with another leader ends this pause early. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 1_000;

/** The error for a request that the wait queue refuses. */
const REFUSALS: Readonly<Record<Exclude<WaitRefusal, 'closed'>, ReasonsOf<'parking_full' | 'overloaded'>>> = {
  requests: 'parking_full',
  bytes: 'parking_full',
  queue: 'overloaded',
};

/** Returns the error for a request that the wait queue refuses. */
export function waitRefusal(refusal: Exclude<WaitRefusal, 'closed'>): GatewayError {
  return gatewayError(REFUSALS[refusal]);
}

/** Returns how long a request may wait for a leader or a Broker, all its waits together, in ms. */
export function longestLeaderWaitMs(
  role: Role,
  reason: UnavailableReason | null,
  { maxWaitMs, maxWaitByRole, maxWaitStaleMs }: WaitLimits,
): number {
  return reason === 'discovery_stale' ? maxWaitStaleMs : (maxWaitByRole[role] ?? maxWaitMs);
}

type WaitLimits = Pick<
  ExchangeServices['options'],
  'maxWaitMs' | 'maxWaitByRole' | 'maxWaitStaleMs' | 'maxQueueMs'
>;

/** The services that waiting uses. */
export type WaitServices = Pick<ExchangeServices, 'cluster' | 'waitQueue' | 'now' | 'spans'> & {
  readonly options: WaitLimits;
};

/** The owner of a wait: what it checks during the wait and does afterwards. */
export interface WaitOwner {
  choose(): Target;
  /** Whether there is capacity for the request now. */
  hasRoom(): boolean;
  go(): void;
  giveUp(error: GatewayError): void;
  /** Our own code threw during the wait, which is over. */
  onInternalError(error: unknown): void;
}

/**
 * How the wait queue sees the request, apart from its role: its fairness lane, and the body bytes that it holds in
 * memory.
 */
export interface WaitTraits {
  readonly lane: string;
  readonly bytes: number;
}

/**
 * The waits of one request. All waits for a leader or Broker share one time limit. A wait for capacity has its own.
 */
export class RequestWait implements PendingRequest {
  readonly role: Role;
  readonly flow: string;
  readonly bytes: number;
  readonly #services: WaitServices;
  readonly #owner: WaitOwner;
  /** When the request joined the queue, on the exchange's clock; -1 while it is not in it. */
  #since = -1;
  #waitedMs = 0;
  #pauses = 0;
  #backoffs = 0;
  #notBefore = 0;
  #failedIn: ClusterView | null = null;
  /** Only another leader, or a new election of the same one, ends the pause early. */
  #untilMoved = false;
  #reason: UnavailableReason | null = null;
  #leaderWait: LeaderWait | null = null;
  /** When it began to wait for capacity only; -1 if it never did. */
  #needsCapacitySince = -1;
  #error: GatewayError | null = null;
  #span: WaitSpan | null = null;

  constructor(role: Role, services: WaitServices, owner: WaitOwner, { lane, bytes }: WaitTraits) {
    this.role = role;
    this.flow = lane;
    this.bytes = bytes;
    this.#services = services;
    this.#owner = owner;
  }

  /** The sum of all completed waits, in milliseconds. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** See `ExchangeRecord`. */
  get leaderWait(): LeaderWait | null {
    return this.#leaderWait;
  }

  get needsCapacity(): boolean {
    return this.#reason === 'overloaded';
  }

  /** Waits for a target. `reason` says why there is none. */
  wait(reason: UnavailableReason): void {
    this.#because(reason);
    this.#park();
  }

  /**
   * Waits after a failed attempt until the view differs from `failedIn`, the view before the failure was reported, or
   * until a pause ends that grows with every failure. `redirected`: only another leader counts as a difference,
   * because a master that briefly redirects to itself claims to lead all the while.
   */
  waitAfter(failedIn: ClusterView, error: GatewayError, redirected: boolean): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, LONGEST_PAUSE_MS);
    this.#pauses++;
    this.#pause(failedIn, error, redirected, pauseMs);
  }

  /**
   * Waits after a serving leader refused the request because it is overloaded. The pause is the leader's
   * `Retry-After`, or else grows with every refusal. Another leader ends it early. If the pause exceeds the time
   * left, the request ends now.
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

  /** Goes on as soon as there is a target and capacity, because the leader that had the request no longer leads. */
  goOn(error: GatewayError): void {
    this.#failedIn = null;
    this.#error = error;
    this.#goOrPark();
  }

  /** Leaves the queue. Does nothing if the request is not in it. */
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
    if (refusal === null) {
      this.#span = this.#services.spans?.wait(this.#reason) ?? null;
      return;
    }
    this.#since = -1;
    this.#owner.giveUp(refusal === 'closed' ? this.#verdict() : waitRefusal(refusal));
  }

  #because(reason: UnavailableReason | null): void {
    if (reason === 'overloaded' && !this.needsCapacity) this.#needsCapacitySince = this.#services.now();
    this.#reason = reason;
    const { role } = this;
    if (this.#leaderWait !== null || role === 'broker') return;
    const { state, since } = this.#services.cluster.view.leaders[role];
    if (state !== 'serving') this.#leaderWait = { role, leaderlessSince: since };
  }

  #count(): void {
    if (this.#since < 0) return;
    this.#waitedMs += this.#services.now() - this.#since;
    this.#since = -1;
    this.#span?.end();
  }

  #left(): number {
    return longestLeaderWaitMs(this.role, this.#reason, this.#services.options) - this.#waitedMs;
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
