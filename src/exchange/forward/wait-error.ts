import type { UnavailableReason } from '../../routing/target.ts';
import type { GatewayError } from '../errors.ts';
import type { WaitRefusal } from '../limits/wait-queue.ts';

const MESSAGES: Readonly<Record<UnavailableReason, string>> = {
  discovery_incomplete: 'The gateway has not learned the cluster yet; try again.',
  no_leader: 'No leader of this role is elected at the moment; try again.',
  leader_initialising: 'The leader of this role is elected but not ready yet; try again.',
  leader_unreachable: 'The leader of this role cannot be reached at the moment; try again.',
  zookeeper_stale:
    'The gateway is out of touch with ZooKeeper and knows no leader that confirms itself; try again.',
  no_ready_broker: 'No Broker is ready at the moment; try again.',
  overloaded: 'The gateway or the cluster behind it has more requests under way than it may; try again.',
};

/** The answer when waiting did not help. */
export function waitError(reason: UnavailableReason): GatewayError {
  const slow = reason === 'zookeeper_stale' || reason === 'discovery_incomplete';
  return { status: 503, reason, message: MESSAGES[reason], retryAfter: slow ? 5 : 1 };
}

/** The answer when a request may not even wait. */
export function refusalError(refusal: Exclude<WaitRefusal, 'closed'>): GatewayError {
  if (refusal === 'queue') return waitError('overloaded');
  return {
    status: 503,
    reason: 'parking_full',
    message: 'Too many requests already wait for a leader or a Broker; try again.',
    retryAfter: 1,
  };
}

export const CLIENT_BUSY: GatewayError = {
  status: 429,
  reason: 'too_many_requests',
  message:
    'This client already has as many requests under way as it may; try again when one of them has ended.',
  retryAfter: 1,
};
