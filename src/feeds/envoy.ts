import { MASTER_ROLES } from '../discovery/discovery.ts';
import { reachedAt, type SharedBroker, type SharedNode, type SharedView } from './shared-view.ts';

/** The type of what is answered: endpoints of clusters (EDS). */
export const ENDPOINTS_TYPE = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';

/** Names of resources for the leaders; each has one endpoint, or none. */
export const LEADER_RESOURCES = {
  coordinator: 'druid-coordinator-leader',
  overlord: 'druid-overlord-leader',
} as const;
/** Before the service of Brokers. */
export const BROKERS_PREFIX = 'druid-brokers:';

/** One element of `endpoints` as JSON of `envoy.config.endpoint.v3.LbEndpoint`. */
interface LbEndpoint {
  readonly endpoint: {
    readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
    readonly hostname: string;
  };
  readonly health_status: 'HEALTHY' | 'DRAINING';
  readonly load_balancing_weight?: number;
}

export interface ClusterLoadAssignment {
  readonly '@type': typeof ENDPOINTS_TYPE;
  readonly cluster_name: string;
  readonly endpoints: readonly { readonly lb_endpoints: readonly LbEndpoint[] }[];
}

/** Whether there is such a resource: a leader, or the Brokers of a service, which need not exist. */
export function isResource(name: string): boolean {
  if (name.startsWith(BROKERS_PREFIX)) return name.length > BROKERS_PREFIX.length;
  return MASTER_ROLES.some((role) => LEADER_RESOURCES[role] === name);
}

/** The nodes that a resource is made of, whatever their addresses. */
export function nodesOf(view: SharedView, name: string): readonly SharedNode[] {
  for (const role of MASTER_ROLES) {
    if (LEADER_RESOURCES[role] !== name) continue;
    const leader = view.leaders[role];
    return leader.state === 'serving' && leader.node !== null ? [leader] : [];
  }
  return brokersOf(view, name);
}

/**
 * Makes the resource `name` of a view. `addressOf` gives a host's IP address, since EDS takes no names; nodes without
 * one are left out. A cordoned Broker drains: it gets no new requests, and its connections stay. One that is not ready
 * is not there.
 */
export function assignment(
  view: SharedView,
  name: string,
  addressOf: (host: string) => string | null,
): ClusterLoadAssignment {
  const endpoints = nodesOf(view, name).flatMap((node): LbEndpoint[] => {
    const address = addressOf(reachedAt(node));
    if (address === null) return [];
    const { state, weight } = 'weight' in node ? (node as SharedBroker) : { state: 'ready', weight: 100 };
    return [
      {
        endpoint: {
          address: { socket_address: { address, port_value: node.port } },
          hostname: node.host,
        },
        health_status: state === 'cordoned' ? 'DRAINING' : 'HEALTHY',
        // Envoy refuses 0, and a whole answer with it.
        load_balancing_weight: Math.max(1, weight),
      },
    ];
  });
  return { '@type': ENDPOINTS_TYPE, cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
}

function brokersOf({ brokers }: SharedView, name: string): readonly SharedBroker[] {
  const service = name.slice(BROKERS_PREFIX.length);
  return brokers.filter(
    (broker) => broker.service === service && (broker.state === 'ready' || broker.state === 'cordoned'),
  );
}
