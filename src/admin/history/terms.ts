import type { LeaderView, ServingLeader } from '../../cluster/view.ts';
import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import type { LeaderWaits } from '../../exchange/leader-waits.ts';
import type { Term } from './term.ts';

/** Most terms kept of each role; the oldest are dropped. */
export const MOST_TERMS = 500;
/**
 * Clock difference allowed between a gap and the requests that waited in it, in ms: a worker that loses the leader
 * knows it before the primary does.
 */
const SLACK_MS = 1_000;

type Open<T> = { -readonly [K in keyof T]: T[K] };

interface Role {
  terms: Open<Term>[];
  /** When the last leader stopped serving, in epoch ms; null while one serves, or if that was not seen. */
  stoppedAt: number | null;
  /** The last term, or its end, was observed and not read from a file. */
  observed: boolean;
  /** Requests that waited in the gap that lasts. */
  waited: number;
  failed: number;
}

/**
 * The terms of leadership, made of the views of leaders in their order. A leader that stops serving for a moment, and
 * serves again without a new election, goes on with its term.
 */
export class Terms {
  readonly #roles: Readonly<Record<MasterRole, Role>>;

  /** `known` are the terms of an earlier run; the last of a role may go on. */
  constructor(known: readonly Term[] = []) {
    const of = (role: MasterRole): Role => ({
      terms: known
        .filter((term) => term.role === role)
        .slice(-MOST_TERMS)
        .map((term) => ({ ...term })),
      stoppedAt: null,
      observed: false,
      waited: 0,
      failed: 0,
    });
    this.#roles = { coordinator: of('coordinator'), overlord: of('overlord') };
  }

  /** All terms, the oldest first. */
  get all(): readonly Term[] {
    return MASTER_ROLES.flatMap((role) => this.#roles[role].terms).toSorted((a, b) =>
      a.from < b.from ? -1 : a.from > b.from ? 1 : 0,
    );
  }

  /** Number of terms of a role. */
  kept(role: MasterRole): number {
    return this.#roles[role].terms.length;
  }

  /** Takes the leader of a role as it is now. Returns the terms that this ends or begins. */
  observe(view: LeaderView): readonly Term[] {
    const role = this.#roles[view.role];
    return view.state === 'serving' ? this.#serves(role, view) : this.#doesNotServe(role, view);
  }

  /** Adds requests that waited to the term that ended their wait. They are dropped if there was no gap. */
  count({ role: name, leaderlessSince, waited, failed }: LeaderWaits): void {
    const role = this.#roles[name];
    const last = role.terms.at(-1);
    const lasts = last === undefined || role.stoppedAt !== null || !role.observed;
    if (lasts && leaderlessSince >= (role.stoppedAt ?? 0) - SLACK_MS) {
      role.waited += waited;
      role.failed += failed;
      return;
    }
    const ended = role.terms.findLast((term) => isInGap(leaderlessSince, term));
    if (ended === undefined) return;
    ended.waited += waited;
    ended.failed += failed;
  }

  #serves(role: Role, view: ServingLeader): readonly Term[] {
    const last = role.terms.at(-1);
    const changed: Term[] = [];
    if (last !== undefined && isSame(last, view)) {
      last.term ??= view.term;
      last.knownBy = view.knownBy;
      if (last.to !== null) {
        last.to = null;
        changed.push(last);
      }
    } else {
      if (last !== undefined && last.to === null) {
        last.to = iso(role.stoppedAt ?? view.since);
        changed.push(last);
      }
      changed.push(this.#begin(role, view));
    }
    role.stoppedAt = null;
    role.observed = true;
    role.waited = 0;
    role.failed = 0;
    return changed;
  }

  #begin(role: Role, view: ServingLeader): Term {
    const before = role.terms.at(-1);
    const begun: Open<Term> = {
      role: view.role,
      node: view.node.hostAndPort,
      term: view.term,
      from: iso(view.since),
      to: null,
      gapMs: before?.to == null || !role.observed ? null : Math.max(0, view.since - Date.parse(before.to)),
      waited: role.waited,
      failed: role.failed,
      knownBy: view.knownBy,
    };
    role.terms.push(begun);
    if (role.terms.length > MOST_TERMS) role.terms.shift();
    return begun;
  }

  #doesNotServe(role: Role, view: LeaderView): readonly Term[] {
    const last = role.terms.at(-1);
    if (last === undefined || !role.observed) return [];
    role.stoppedAt ??= view.since;
    // A doubt about the leader is no end of its term.
    if (last.to !== null || isDoubted(last, view)) return [];
    last.to = iso(role.stoppedAt);
    return [last];
  }
}

/** Whether a leader that serves goes on with a term. */
function isSame(last: Term, { node, term }: ServingLeader): boolean {
  if (last.node !== node.hostAndPort) return false;
  // Once a term has ended, only the latch can say that it goes on.
  if (last.to !== null) return term !== null && term === last.term;
  return term === null || last.term === null || term === last.term;
}

function isDoubted(last: Term, { state, node, term }: LeaderView): boolean {
  return state === 'elected' && node?.hostAndPort === last.node && term === last.term;
}

/** Whether a time, in epoch ms, is in the gap before a term. If that gap has no known beginning, any time is. */
function isInGap(time: number, { from, gapMs }: Term): boolean {
  const end = Date.parse(from);
  return time <= end && (gapMs === null || time >= end - gapMs - SLACK_MS);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
