import type { WaitReason } from '../cluster/view.ts';
import type { GatewayError } from './errors.ts';

const MESSAGES: Readonly<Record<WaitReason, string>> = {
  discovery_incomplete: 'The gateway has not learned the cluster yet; try again.',
  no_leader: 'No leader of this role is elected at the moment; try again.',
  leader_initialising: 'The leader of this role is elected but not ready yet; try again.',
  leader_unreachable: 'The leader of this role cannot be reached at the moment; try again.',
  zookeeper_stale:
    'The gateway is out of touch with ZooKeeper and knows no leader that confirms itself; try again.',
  no_ready_broker: 'No Broker is ready at the moment; try again.',
};

/** The answer when waiting did not help. */
export function waitError(reason: WaitReason): GatewayError {
  const slow = reason === 'zookeeper_stale' || reason === 'discovery_incomplete';
  return { status: 503, reason, message: MESSAGES[reason], retryAfter: slow ? 5 : 1 };
}

export const PARKING_FULL: GatewayError = {
  status: 503,
  reason: 'parking_full',
  message: 'Too many requests already wait for a leader or a Broker; try again.',
  retryAfter: 1,
};
