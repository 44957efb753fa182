import type { NodeOutcome, UpstreamNode } from '../../cluster/node.ts';
import type { BrokerView, ClusterView, LeaderView, WaitReason } from '../../cluster/view.ts';
import { MASTER_ROLES } from '../../discovery/discovery.ts';

/** A failure that a request of this worker found and the primary's views do not include yet. */
export interface UnconfirmedFailure {
  /** The report that carries it to the primary. */
  readonly report: number;
  /** Epoch milliseconds of the first failure. */
  readonly since: number;
  /** Why the leader must confirm again; null if it need not, because it may only be overloaded. */
  readonly reason: WaitReason | null;
  /** Whether it takes a Broker out of the pool; a reset alone does not. */
  readonly refused: boolean;
}

const WAIT_REASONS: Readonly<Record<Exclude<NodeOutcome, 'ok'>, WaitReason | null>> = {
  connect_failed: 'leader_unreachable',
  reset: 'leader_unreachable',
  not_leader: 'leader_initialising',
  unavailable: null,
};

/** Adds another failure of a node; the time and reason of the first one are kept. */
export function addFailure(
  before: UnconfirmedFailure | undefined,
  outcome: Exclude<NodeOutcome, 'ok'>,
  report: number,
  now: number,
): UnconfirmedFailure {
  return {
    report,
    since: before?.since ?? now,
    reason: before?.reason ?? WAIT_REASONS[outcome],
    refused: before?.refused === true || outcome !== 'reset',
  };
}

/**
 * Returns the view as the primary will have it after the reports: a leader that just failed must confirm again, and
 * a Broker that refused is out of the pool. Returns `view` itself if no failure affects it.
 */
export function withUnconfirmedFailures(
  view: ClusterView,
  failures: ReadonlyMap<UpstreamNode, UnconfirmedFailure>,
): ClusterView {
  if (failures.size === 0) return view;
  const leaders = {
    coordinator: withFailure(view.leaders.coordinator, failures),
    overlord: withFailure(view.leaders.overlord, failures),
  };
  const moved = MASTER_ROLES.some((role) => leaders[role] !== view.leaders[role]);
  const refused = (node: UpstreamNode): boolean => failures.get(node)?.refused === true;
  const some = view.brokers.some(({ node, ready }) => ready && refused(node));
  if (!moved && !some) return view;
  return {
    ...view,
    leaders,
    ...(some
      ? {
          brokers: view.brokers.map(
            (broker): BrokerView =>
              refused(broker.node) ? { ...broker, ready: false, why: 'failed a request' } : broker,
          ),
          pools: new Map(
            [...view.pools].map(([service, pool]) => [service, pool.filter((node) => !refused(node))]),
          ),
        }
      : {}),
  };
}

/** Whether a failure of this node changes the view. */
export function concerns(
  view: ClusterView,
  node: UpstreamNode,
  outcome: Exclude<NodeOutcome, 'ok'>,
): boolean {
  const leads = MASTER_ROLES.some((role) => {
    const leader = view.leaders[role];
    return leader.state === 'serving' && leader.node === node;
  });
  return (
    (leads && WAIT_REASONS[outcome] !== null) ||
    (outcome !== 'reset' && view.brokers.some((broker) => broker.node === node && broker.ready))
  );
}

function withFailure(
  leader: LeaderView,
  failures: ReadonlyMap<UpstreamNode, UnconfirmedFailure>,
): LeaderView {
  if (leader.state !== 'serving') return leader;
  const failure = failures.get(leader.node);
  if (failure === undefined || failure.reason === null) return leader;
  return { ...leader, state: 'elected', since: failure.since, waitReason: failure.reason };
}
