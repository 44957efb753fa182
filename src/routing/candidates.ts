import { hasRoom } from '../cluster/brokers/balancer.ts';
import type { UpstreamNode } from '../cluster/node.ts';
import type { BrokerView, ClusterView } from '../cluster/view.ts';
import type { MasterRole, Role } from '../discovery/discovery.ts';
import type { ChoiceLimits } from './target.ts';

/** A node that a request could go to, for people. */
export interface Candidate {
  readonly node: UpstreamNode;
  /** The Broker's service; null for a master. */
  readonly service: string | null;
  /** Why the request does not go to it now; null if it may. */
  readonly refusal: string | null;
}

/** Returns the nodes that `chooseTarget` chooses from, and why each of the others is not among them. */
export function candidatesFor(role: Role, view: ClusterView, limits: ChoiceLimits): readonly Candidate[] {
  return role === 'broker' ? brokers(view, limits) : masters(role, view, limits.maxPerNode);
}

/** The same for the Broker of a JDBC connection, see `chooseConnection`; `remembered` is where it is. */
export function connectionCandidates(
  view: ClusterView,
  remembered: string | null,
  services: ReadonlySet<string>,
): readonly Candidate[] {
  const isKnown = view.brokers.some(({ node }) => node.hostAndPort === remembered);
  return view.brokers.map((broker) => {
    const { node, service } = broker;
    const isOwn = node.hostAndPort === remembered;
    const elsewhere = isKnown && !isOwn ? `the connection is at ${remembered}` : null;
    const refusal = isOwn ? null : (elsewhere ?? connectionRefusal(broker, services));
    return { node, service, refusal };
  });
}

/** Why no new connection goes to a Broker; null if one may. */
export function connectionRefusal(
  { ready, service, why }: BrokerView,
  services: ReadonlySet<string>,
): string | null {
  if (!services.has(service)) return `it is of another service, ${service}`;
  return ready ? null : why;
}

function brokers(view: ClusterView, { defaultService, maxPerNode }: ChoiceLimits): readonly Candidate[] {
  const pool = view.pools.get(defaultService) ?? [];
  return view.brokers.map(({ node, service, why }) => {
    if (service !== defaultService) {
      return { node, service, refusal: `it is of another service, ${service}` };
    }
    return { node, service, refusal: pool.includes(node) ? full(node, maxPerNode) : why };
  });
}

function masters(role: MasterRole, view: ClusterView, maxPerNode: number): readonly Candidate[] {
  const leader = view.leaders[role];
  const known = [...view.nodes.values()].filter(({ origin }) => view.roles.get(origin)?.includes(role));
  const nodes = new Set(leader.node === null ? known : [leader.node, ...known]);
  return [...nodes].map((node) => {
    if (node !== leader.node) {
      const claims = view.rivals[role].includes(node.origin);
      const refusal = claims ? 'it says that it leads, and another node does' : 'it does not lead';
      return { node, service: null, refusal };
    }
    const refusal = leader.state === 'serving' ? full(node, maxPerNode) : NOT_YET;
    return { node, service: null, refusal };
  });
}

const NOT_YET = 'it is elected, and has not confirmed that it serves';

function full(node: UpstreamNode, maxPerNode: number): string | null {
  return hasRoom(node, maxPerNode) ? null : `it has ${node.outstanding} requests, of at most ${maxPerNode}`;
}
