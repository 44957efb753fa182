import type { UpstreamNode } from '../cluster/node.ts';
import { rendezvous } from '../cluster/rendezvous.ts';
import type { ClusterView } from '../cluster/view.ts';
import type { Target } from '../exchange/deps.ts';

/**
 * The Broker of a JDBC connection: the one that has it, also when it is cordoned, as long as it is announced;
 * otherwise by the Router's hash over all announced Brokers of the service, passing over those that get no new
 * queries. A Broker that does not know the connection says so, and the driver opens it anew.
 */
export function chooseConnection(
  id: string,
  remembered: string | null,
  view: ClusterView,
  exclude: ReadonlySet<UpstreamNode>,
  service: string,
): Target {
  const brokers = view.brokers.filter((broker) => broker.service === service && !exclude.has(broker.node));
  const own = brokers.find(({ node }) => node.hostAndPort === remembered);
  if (own !== undefined) return { kind: 'node', node: own.node };
  const byName = new Map(brokers.filter(({ ready }) => ready).map(({ node }) => [node.hostAndPort, node]));
  const [first] = rendezvous(id, [...byName.keys()]);
  const node = first === undefined ? undefined : byName.get(first);
  if (node !== undefined) return { kind: 'node', node };
  return { kind: 'wait', reason: view.complete ? 'no_ready_broker' : 'discovery_incomplete' };
}
