import type { UpstreamNode } from '../../cluster/node.ts';
import type { ClusterView } from '../../cluster/view.ts';
import { connectionRefusal } from '../candidates.ts';
import type { Target } from '../target.ts';
import { rendezvous } from './rendezvous.ts';

/**
 * Chooses the Broker of a JDBC connection. The Broker that has the connection keeps it while it is announced, even
 * if cordoned. Otherwise the Router's hash decides over the announced Brokers of the services that get new queries.
 * If that Broker does not know the connection, another one may (`otherBrokers`).
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

/**
 * The Brokers besides `asked` that may have a connection, the most likely ones first. It was opened at the first Broker
 * by hash of those that another gateway had then, so it is near the beginning of the order over those that are here now;
 * whether they are ready here does not matter.
 */
export function otherBrokers(
  id: string,
  asked: UpstreamNode,
  view: ClusterView,
  services: ReadonlySet<string>,
): UpstreamNode[] {
  const others = view.brokers.filter(({ node, service }) => node !== asked && services.has(service));
  const byName = new Map(others.map(({ node }) => [node.hostAndPort, node]));
  return rendezvous(id, [...byName.keys()]).flatMap((name) => byName.get(name) ?? []);
}
