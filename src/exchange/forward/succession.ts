import type { Cluster } from '../../cluster/cluster.ts';
import type { UpstreamNode } from '../../cluster/node.ts';
import type { LeaderView } from '../../cluster/view.ts';
import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import { contain } from '../../faults/internal-errors.ts';
import { forTimer } from '../../time/timer.ts';

/** A request that is at a leader. What these throw fails it alone. */
export interface Follower {
  /** Another leader serves by now, and the one that it is at has had a moment to answer. */
  onSucceeded(): void;
  /** It has waited as long as it may for one that leads no more. */
  onAbandoned(): void;
  onInternalError(error: unknown): void;
}

/** A request's being at a leader, until it says `leave`. */
export interface Following {
  /** Again, does nothing. */
  leave(): void;
}

/** Tells requests that the leader which they were sent to leads no more: a frozen one never says so itself. */
export interface Succession {
  /** A request is sent to `node`, the present leader of `role`. */
  follow(role: MasterRole, node: UpstreamNode, follower: Follower): Following;
}

export interface SuccessionOptions {
  readonly cluster: Pick<Cluster, 'view' | 'on'>;
  /** Milliseconds after another leader began to serve; 0 is never. */
  readonly abandonedTimeoutMs: number;
}

/** A former leader that is well answers what it has begun. */
export const LAST_WORD_MS = 500;

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

  /** The role's leader may be another one. */
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

  /** Unless it leads again by then. */
  #in(ms: number, step: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#isFollowed()) contain(step, (error) => this.#follower.onInternalError(error));
    }, forTimer(ms));
  }

  #isSucceeded(): boolean {
    return this.#leader().state === 'serving' && !this.#isFollowed();
  }

  /** A term is known only while there is a latch: where one of both is not, the node tells. */
  #isFollowed(): boolean {
    const { node, term } = this.#leader();
    return node === this.#node && (term === this.#term || term === null || this.#term === null);
  }
}
