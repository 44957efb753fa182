import type { Cluster } from '../../cluster/cluster.ts';
import type { UpstreamNode } from '../../cluster/node.ts';
import type { LeaderView } from '../../cluster/view.ts';
import { Crowd, type Member, OUTSIDE } from '../../collections/crowd.ts';
import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import { contain } from '../../faults/internal-errors.ts';
import { forTimer } from '../../time/timer.ts';

/** A request that is at a leader. An error in one of these calls fails this request only. */
export interface Follower {
  /** Another leader serves, and the request's leader has had `LAST_WORD_MS` to answer. */
  onSucceeded(): void;
  /** The request has waited for a former leader as long as it may. */
  onAbandoned(): void;
  onInternalError(error: unknown): void;
}

/** Represents a request at a leader, until `leave`. */
export interface Following {
  /** Stops the notifications. Repeated calls do nothing. */
  leave(): void;
}

/** Notifies requests when their leader no longer leads. A frozen leader never says so itself. */
export interface Succession {
  /**
   * Call when a request is sent to `node`, the present leader of `role`. `abandonedTimeoutMs`: from the start of
   * another leader's service until `onAbandoned`; 0 is never.
   */
  follow(role: MasterRole, node: UpstreamNode, follower: Follower, abandonedTimeoutMs: number): Following;
}

/** Milliseconds for a former leader to finish its answers, which a healthy one does. */
export const LAST_WORD_MS = 500;

/** Creates the notifier, which listens to the cluster from now on. */
export function createSuccession(cluster: Pick<Cluster, 'view' | 'on'>): Succession {
  const stays: Readonly<Record<MasterRole, Stays>> = {
    coordinator: new Stays(() => cluster.view.leaders.coordinator),
    overlord: new Stays(() => cluster.view.leaders.overlord),
  };
  cluster.on('view', () => {
    for (const role of MASTER_ROLES) stays[role].look();
  });
  return {
    follow: (role, node, follower, abandonedTimeoutMs) => stays[role].add(node, follower, abandonedTimeoutMs),
  };
}

/** The requests that are at the leader of one role. */
class Stays {
  readonly #present: () => LeaderView;
  readonly #stays = new Crowd<Stay>();
  #seen: LeaderView;

  constructor(present: () => LeaderView) {
    this.#present = present;
    this.#seen = present();
  }

  get leader(): LeaderView {
    return this.#present();
  }

  /** Checks the leader after a change of the view. */
  look(): void {
    if (this.leader === this.#seen) return;
    this.#seen = this.leader;
    for (const stay of this.#stays) stay.look();
  }

  add(node: UpstreamNode, follower: Follower, abandonedTimeoutMs: number): Stay {
    const stay = new Stay(this, node, follower, abandonedTimeoutMs);
    this.#stays.add(stay);
    stay.look();
    return stay;
  }

  remove(stay: Stay): void {
    this.#stays.delete(stay);
  }
}

class Stay implements Following, Member {
  readonly #stays: Stays;
  place = OUTSIDE;
  readonly #node: UpstreamNode;
  readonly #term: number | null;
  readonly #follower: Follower;
  readonly #abandonedTimeoutMs: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(stays: Stays, node: UpstreamNode, follower: Follower, abandonedTimeoutMs: number) {
    const { leader } = stays;
    this.#stays = stays;
    this.#node = node;
    this.#term = leader.node === node ? leader.term : null;
    this.#follower = follower;
    this.#abandonedTimeoutMs = abandonedTimeoutMs;
  }

  /** Checks the role's leader after a change. */
  look(): void {
    if (this.#timer !== null || !this.#isSucceeded()) return;
    const limit = this.#abandonedTimeoutMs;
    if (limit > 0 && limit <= LAST_WORD_MS) {
      this.#in(limit, () => this.#follower.onAbandoned());
      return;
    }
    this.#in(LAST_WORD_MS, () => {
      if (limit > 0) this.#in(limit - LAST_WORD_MS, () => this.#follower.onAbandoned());
      this.#follower.onSucceeded();
    });
  }

  leave(): void {
    if (this.place === OUTSIDE) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#stays.remove(this);
  }

  /** Runs `step` after `ms` milliseconds, unless the node leads again by then. */
  #in(ms: number, step: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#isFollowed()) contain(step, (error) => this.#follower.onInternalError(error));
    }, forTimer(ms));
  }

  #isSucceeded(): boolean {
    return this.#stays.leader.state === 'serving' && !this.#isFollowed();
  }

  /** A term is known only while there is a latch. If either term is unknown, the node alone decides. */
  #isFollowed(): boolean {
    const { node, term } = this.#stays.leader;
    return node === this.#node && (term === this.#term || term === null || this.#term === null);
  }
}
