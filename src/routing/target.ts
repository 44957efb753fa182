import { pickBroker } from '../cluster/brokers/balancer.ts';
import type { UpstreamNode } from '../cluster/node.ts';
import type { ClusterView, WaitReason } from '../cluster/view.ts';
import type { ReasonsOf } from '../errors/catalogue.ts';
import type { ForwardRoute } from './route.ts';

/** Why a request waits: for a leader, for a Broker, or (`overloaded`) for room. */
export type UnavailableReason = WaitReason | ReasonsOf<'overloaded'>;

/** Who gets a request now, or why nobody does. */
export type Target =
  | { readonly kind: 'node'; readonly node: UpstreamNode }
  | { readonly kind: 'wait'; readonly reason: UnavailableReason };

/** From whom to choose, if the request is for a Broker. */
export interface ChoiceLimits {
  /** The service whose Brokers get it. */
  readonly defaultService: string;
  /** Requests that a node may have under way. */
  readonly maxPerNode: number;
}

export type ChooseTarget = (
  route: ForwardRoute,
  view: ClusterView,
  random: () => number,
  /** Nodes that this request has found wanting. */
  exclude: ReadonlySet<UpstreamNode>,
  limits: ChoiceLimits,
) => Target;

/** The node that gets a request by the present view, or why it must wait. Reads the view, changes nothing. */
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
  return node.outstanding < maxPerNode ? { kind: 'node', node } : { kind: 'wait', reason: 'overloaded' };
};
