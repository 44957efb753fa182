import type { ClusterView, LeaderView, WaitReason } from '../cluster/view.ts';
import type { Role } from '../discovery/discovery.ts';
import type { Accounting } from './accounting.ts';
import type { ExchangeDeps, Target } from './deps.ts';
import type { GatewayError } from './errors.ts';
import type { Waiter } from './parking.ts';
import { PARKING_FULL, waitError } from './wait-error.ts';

/** A pause before a node that failed is asked again, unless the cluster's view changes first. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 250;

/** What waiting needs of the exchange. */
export type StandbyDeps = Pick<ExchangeDeps, 'cluster' | 'parking' | 'now'> & {
  readonly options: Pick<ExchangeDeps['options'], 'maxWaitMs' | 'maxWaitStaleMs'>;
};

/** What a request does while it waits, for whom it waits, and what it does then. */
export interface StandbyActions {
  /** Looks for a target with nothing excluded. */
  choose(): Target;
  go(): void;
  giveUp(error: GatewayError): void;
}

/** The waiting of one request: all its waits together stay within one limit. */
export class Standby implements Waiter {
  readonly role: Role;
  readonly #deps: StandbyDeps;
  readonly #account: Accounting;
  readonly #actions: StandbyActions;
  #since = -1;
  #pauses = 0;
  #notBefore = 0;
  #failedIn: ClusterView | null = null;
  #reason: WaitReason | null = null;
  #error: GatewayError | null = null;

  constructor(role: Role, deps: StandbyDeps, account: Accounting, actions: StandbyActions) {
    this.role = role;
    this.#deps = deps;
    this.#account = account;
    this.#actions = actions;
  }

  /** Waits for a target, `reason` being why there is none. */
  wait(reason: WaitReason): void {
    this.#reason = reason;
    this.#park();
  }

  /**
   * Waits after a failed attempt, for a view that tells another story than `failedIn` (the view before the failure
   * was reported), or for a pause that grows with every failure.
   */
  waitAfter(failedIn: ClusterView, error: GatewayError): void {
    const { now } = this.#deps;
    this.#failedIn = failedIn;
    this.#error = error;
    this.#reason = null;
    this.#notBefore = now() + Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, LONGEST_PAUSE_MS);
    this.#pauses++;
    if (this.canGo(now())) {
      this.#actions.go();
      return;
    }
    this.#park();
  }

  /** The client has left. */
  leave(): void {
    if (this.#since < 0) return;
    this.#deps.parking.leave(this);
    this.#count();
  }

  canGo(now: number): boolean {
    if (now < this.#notBefore && !this.#changed()) return false;
    const target = this.#actions.choose();
    if (target.kind === 'node') return true;
    this.#reason = target.reason;
    return false;
  }

  deadline(): number {
    return this.#since + this.#left();
  }

  go(): void {
    this.#count();
    this.#actions.go();
  }

  expire(): void {
    this.#count();
    this.#actions.giveUp(this.#verdict());
  }

  #park(): void {
    if (this.#left() <= 0) {
      this.#actions.giveUp(this.#verdict());
      return;
    }
    this.#since = this.#deps.now();
    if (this.#deps.parking.park(this)) return;
    this.#since = -1;
    this.#actions.giveUp(PARKING_FULL);
  }

  #count(): void {
    this.#account.parkedMs += this.#deps.now() - this.#since;
    this.#since = -1;
  }

  #left(): number {
    const { maxWaitMs, maxWaitStaleMs } = this.#deps.options;
    return (this.#reason === 'zookeeper_stale' ? maxWaitStaleMs : maxWaitMs) - this.#account.parkedMs;
  }

  #verdict(): GatewayError {
    if (this.#reason !== null) return waitError(this.#reason);
    return this.#error ?? PARKING_FULL;
  }

  #changed(): boolean {
    const { view } = this.#deps.cluster;
    if (this.#failedIn === null) return true;
    if (this.role === 'broker') return view.version !== this.#failedIn.version;
    return leadershipDiffers(view.leaders[this.role], this.#failedIn.leaders[this.role]);
  }
}

function leadershipDiffers(a: LeaderView, b: LeaderView): boolean {
  return a.since !== b.since || a.node !== b.node || a.term !== b.term || a.state !== b.state;
}
