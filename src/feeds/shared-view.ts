import type { UpstreamNode } from '../cluster/node.ts';
import type { BrokerView, ClusterView, LeaderState, LeaderView } from '../cluster/view.ts';
import type { Discovery, MasterRole, SourceState } from '../discovery/discovery.ts';
import { withoutBrackets } from '../net/host-port.ts';

/** Where a node is. The names are those of `GET /view`, which others build upon: docs/view.md. */
export interface SharedNode {
  /** `host:port`, IPv6 in brackets. */
  readonly node: string;
  readonly scheme: 'http' | 'https';
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** The IP address at which the gateway itself reaches the node; null if `host` is that, or is to be resolved. */
  readonly address: string | null;
}

type Nowhere = { readonly [K in keyof SharedNode]: null };

/** The leader of a role. Requests may go to it while its state is `serving`, and else have to wait. */
export type SharedLeader = (SharedNode | Nowhere) & {
  readonly state: LeaderState;
  readonly term: number | null;
};

/** `ready`: in the pool of its service. Otherwise why it is not. */
export type SharedBrokerState = 'ready' | 'cordoned' | 'ejected' | 'not_ready';

export interface SharedBroker extends SharedNode {
  /** `druid.service` */
  readonly service: string;
  readonly state: SharedBrokerState;
  /** Its share of new queries in percent of the usual one, in steps of 10: 0 unless ready, below 100 in slow start. */
  readonly weight: number;
  /** Absent if it announces none. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What the gateway knows of the cluster, for programs of others. It has no times and no counts, which change always. */
export interface SharedContent {
  /** Discovery has been read completely once. */
  readonly complete: boolean;
  /** This gateway is shutting down. */
  readonly draining: boolean;
  readonly discovery: { readonly kind: string; readonly state: SourceState };
  readonly leaders: Readonly<Record<MasterRole, SharedLeader>>;
  /** In the order of service and node. */
  readonly brokers: readonly SharedBroker[];
}

/** The content with its version: the same content has the same version, in each gateway and after a restart. */
export interface SharedView extends SharedContent {
  readonly version: string;
}

/** Steps of weights, in percent: fewer versions in slow start. */
const WEIGHT_STEP = 10;

const NOWHERE: Nowhere = { node: null, scheme: null, host: null, port: null, address: null };

/** Describes a view, with what the Brokers announced, for others. */
export function shareView(
  view: ClusterView,
  { kind, snapshot, status }: Pick<Discovery, 'kind' | 'snapshot' | 'status'>,
  draining: boolean,
): SharedContent {
  const labels = new Map(snapshot.announcements.broker.map(({ origin, labels }) => [origin, labels]));
  return {
    complete: view.complete,
    draining,
    discovery: { kind, state: status.state },
    leaders: { coordinator: leader(view.leaders.coordinator), overlord: leader(view.leaders.overlord) },
    brokers: view.brokers
      .map((broker) => ({ ...shareBroker(broker), ...labelled(labels.get(broker.node.origin)) }))
      .sort(
        (a, b) => compare(a.service, b.service) || compare(a.node, b.node) || compare(a.scheme, b.scheme),
      ),
  };
}

/** Says where a node is. */
export function sharedNode({
  origin,
  hostAndPort,
  address,
}: Pick<UpstreamNode, 'origin' | 'hostAndPort' | 'address'>): SharedNode {
  const colon = hostAndPort.lastIndexOf(':');
  return {
    node: hostAndPort,
    scheme: origin.startsWith('https:') ? 'https' : 'http',
    host: withoutBrackets(hostAndPort.slice(0, colon)),
    port: Number(hostAndPort.slice(colon + 1)),
    address,
  };
}

/** An IP address, or a name that is to be resolved: where connections to a node go. */
export function reachedAt({ address, host }: Pick<SharedNode, 'address' | 'host'>): string {
  return address ?? host;
}

function leader({ state, node, term }: LeaderView): SharedLeader {
  return { state, term, ...(node === null ? NOWHERE : sharedNode(node)) };
}

function shareBroker({ node, service, ready, cordoned, ejected }: BrokerView): SharedBroker {
  return {
    ...sharedNode(node),
    service,
    state: ready ? 'ready' : cordoned ? 'cordoned' : ejected ? 'ejected' : 'not_ready',
    weight: ready ? Math.ceil((node.share * 100) / WEIGHT_STEP - 1e-6) * WEIGHT_STEP : 0,
  };
}

function labelled(labels: readonly (readonly [string, string])[] | undefined): Pick<SharedBroker, 'labels'> {
  return labels === undefined ? {} : { labels: Object.fromEntries(labels) };
}

/** Orders texts by code units, the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
