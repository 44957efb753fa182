import { hasRoom, pickBroker } from '../cluster/brokers/balancer.ts';
import type { UpstreamNode } from '../cluster/node.ts';
import type { ClusterView, WaitReason } from '../cluster/view.ts';
import type { ReasonsOf } from '../errors/catalogue.ts';
import type { ForwardRoute } from './route.ts';

/** What a request waits for: a leader, a Broker, or (`overloaded`) free capacity. */
export type UnavailableReason = WaitReason | ReasonsOf<'overloaded'>;

/** The node that gets a request now, or why there is none. */
export type Target =
  | { readonly kind: 'node'; readonly node: UpstreamNode }
  | { readonly kind: 'wait'; readonly reason: UnavailableReason };

/** Limits on the choice of a node; the service applies to Brokers only. */
export interface ChoiceLimits {
  /** The service whose Brokers are candidates. */
  readonly defaultService: string;
  /** Most requests that a node may have in flight. */
  readonly maxPerNode: number;
}

export type ChooseTarget = (
  route: ForwardRoute,
  view: ClusterView,
  random: () => number,
  /** Nodes that already failed this request. */
  exclude: ReadonlySet<UpstreamNode>,
  limits: ChoiceLimits,
) => Target;

/** Chooses the node for a request by the current view, or returns why it must wait. Changes nothing. */
export const chooseTarget: ChooseTarget = (route, view, random, exclude, { defaultService, maxPerNode }) => {
  if (route.role === 'broker') {
    const pool = view.pools.get(defaultService) ?? [];
    const node = pickBroker(pool, random, exclude, maxPerNode);
    if (node !== null) return { kind: 'node', node };
    if (pool.length > 0) return { kind: 'wait', reason: 'overloaded' };
    return { kind: 'wait', reason: view.complete ? 'no_ready_broker' : 'discovery_incomplete' };
  }
  const leader = view.leaders[route.role];
  if (leader.state !== 'serving') return { kind: 'wait', reason: leader.waitReason };
  const { node } = leader;
  return hasRoom(node, maxPerNode) ? { kind: 'node', node } : { kind: 'wait', reason: 'overloaded' };
};
