import type { UpstreamNode } from '../../cluster/node.ts';
import type { ClusterView } from '../../cluster/view.ts';
import { connectionRefusal } from '../candidates.ts';
import type { Target } from '../target.ts';
import { rendezvous } from './rendezvous.ts';

/**
 * Chooses the Broker of a JDBC connection. The Broker that has the connection keeps it while it is announced, even
 * if cordoned. Otherwise the Router's hash decides over the announced Brokers of the services that get new queries.
 * A Broker that does not know the connection says so, and the driver opens a new one.
 */
export function chooseConnection(
  id: string,
  remembered: string | null,
  view: ClusterView,
  exclude: ReadonlySet<UpstreamNode>,
  services: ReadonlySet<string>,
): Target {
  const brokers = view.brokers.filter(({ node }) => !exclude.has(node));
  const own = brokers.find(({ node }) => node.hostAndPort === remembered);
  if (own !== undefined) return { kind: 'node', node: own.node };
  const candidates = brokers.filter((broker) => connectionRefusal(broker, services) === null);
  const byName = new Map(candidates.map(({ node }) => [node.hostAndPort, node]));
  const [first] = rendezvous(id, [...byName.keys()]);
  const node = first === undefined ? undefined : byName.get(first);
  if (node !== undefined) return { kind: 'node', node };
  return { kind: 'wait', reason: view.complete ? 'no_ready_broker' : 'discovery_incomplete' };
}
