import { pickBroker } from '../cluster/balancer.ts';
import type { ChooseTarget } from '../exchange/deps.ts';

/** The node that gets a request by the present view, or why it must wait. Reads the view, changes nothing. */
export const chooseTarget: ChooseTarget = (route, view, random, exclude, { defaultService, maxPerNode }) => {
  if (route.role === 'broker') {
    const pool = view.pools.get(defaultService) ?? [];
    const node = pickBroker(pool, random, exclude, maxPerNode);
    if (node !== null) return { kind: 'node', node };
    if (pool.length > 0) return { kind: 'wait', reason: 'overloaded' };
    return { kind: 'wait', reason: view.complete ? 'no_ready_broker' : 'discovery_incomplete' };
  }
  const { state, node, waitReason } = view.leaders[route.role];
  if (state === 'serving' && node !== null) {
    return node.outstanding < maxPerNode ? { kind: 'node', node } : { kind: 'wait', reason: 'overloaded' };
  }
  return { kind: 'wait', reason: waitReason ?? 'no_leader' };
};
