import type { Cluster } from '../../cluster/cluster.ts';
import type { UpstreamNode } from '../../cluster/node.ts';
import type { LeaderView } from '../../cluster/view.ts';
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
  /** Call when a request is sent to `node`, the present leader of `role`. */
  follow(role: MasterRole, node: UpstreamNode, follower: Follower): Following;
}

export interface SuccessionOptions {
  readonly cluster: Pick<Cluster, 'view' | 'on'>;
  /** Milliseconds from the start of another leader's service until `onAbandoned`; 0 is never. */
  readonly abandonedTimeoutMs: number;
}

/** Milliseconds for a former leader to finish its answers, which a healthy one does. */
export const LAST_WORD_MS = 500;

/** Creates the notifier, which listens to the cluster from now on. */
export function createSuccession({ cluster, abandonedTimeoutMs }: SuccessionOptions): Succession {
  const stays: Readonly<Record<MasterRole, Set<Stay>>> = { coordinator: new Set(), overlord: new Set() };
  const seen = { ...cluster.view.leaders };
  const leaderOf = (role: MasterRole): LeaderView => cluster.view.leaders[role];

  cluster.on('view', ({ leaders }) => {
    for (const role of MASTER_ROLES) {
      const leader = leaders[role];
      if (leader === seen[role]) continue;
      seen[role] = leader;
      for (const stay of stays[role]) stay.look();
    }
  });

  return {
    follow(role, node, follower) {
      const stay = new Stay(
        node,
        () => leaderOf(role),
        follower,
        abandonedTimeoutMs,
        () => stays[role].delete(stay),
      );
      stays[role].add(stay);
      stay.look();
      return stay;
    },
  };
}

class Stay implements Following {
  readonly #node: UpstreamNode;
  readonly #term: number | null;
  readonly #leader: () => LeaderView;
  readonly #follower: Follower;
  readonly #abandonedTimeoutMs: number;
  readonly #onLeave: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    node: UpstreamNode,
    leader: () => LeaderView,
    follower: Follower,
    abandonedTimeoutMs: number,
    onLeave: () => void,
  ) {
    const present = leader();
    this.#node = node;
    this.#term = present.node === node ? present.term : null;
    this.#leader = leader;
    this.#follower = follower;
    this.#abandonedTimeoutMs = abandonedTimeoutMs;
    this.#onLeave = onLeave;
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
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#onLeave();
  }

  /** Runs `step` after `ms` milliseconds, unless the node leads again by then. */
  #in(ms: number, step: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#isFollowed()) contain(step, (error) => this.#follower.onInternalError(error));
    }, forTimer(ms));
  }

  #isSucceeded(): boolean {
    return this.#leader().state === 'serving' && !this.#isFollowed();
  }

  /** A term is known only while there is a latch. If either term is unknown, the node alone decides. */
  #isFollowed(): boolean {
    const { node, term } = this.#leader();
    return node === this.#node && (term === this.#term || term === null || this.#term === null);
  }
}
