import type { UpstreamNode } from '../../cluster/node.ts';
import { createNodes } from '../../cluster/nodes.ts';
import type {
  BrokerView,
  ClusterView,
  ElectedLeader,
  LeaderView,
  NoLeader,
  ServingLeader,
} from '../../cluster/view.ts';
import type { MasterRole, Role } from '../../discovery/discovery.ts';

/**
 * A view for another process, as texts that are made once and compared: what has not changed is not sent again, so
 * that a new leader does not carry a thousand Brokers along. Nodes are named by their origins.
 */
export interface ViewParts {
  readonly head: string;
  readonly nodes: string;
  readonly brokers: string;
  /** Of the Brokers that start slowly. */
  readonly shares: string;
}

type LeaderWire =
  | NoLeader
  | (Omit<ElectedLeader, 'node'> & { readonly node: string | null })
  | (Omit<ServingLeader, 'node'> & { readonly node: string });

interface Head extends Pick<ClusterView, 'version' | 'complete' | 'discovery' | 'readAt' | 'rivals'> {
  readonly leaders: Readonly<Record<MasterRole, LeaderWire>>;
  readonly cordoned: readonly string[];
}

type Nodes = readonly (readonly [origin: string, roles: readonly Role[]])[];

interface Brokers {
  readonly views: readonly (Omit<BrokerView, 'node'> & { readonly node: string })[];
  /** By service, the places of its Brokers in `views`. */
  readonly pools: readonly (readonly [service: string, members: readonly number[]])[];
}

type Shares = readonly (readonly [origin: string, share: number])[];

export function encodeView(view: ClusterView): ViewParts {
  const { version, complete, discovery, readAt, rivals, leaders, cordoned, nodes, roles } = view;
  const places = new Map(view.brokers.map(({ node }, place) => [node, place]));
  const head: Head = {
    version,
    complete,
    discovery,
    readAt,
    rivals,
    leaders: { coordinator: wireOf(leaders.coordinator), overlord: wireOf(leaders.overlord) },
    cordoned: [...cordoned],
  };
  const known: Nodes = [...nodes.keys()].map((origin) => [origin, roles.get(origin) ?? []]);
  const brokers: Brokers = {
    views: view.brokers.map((broker) => ({ ...broker, node: broker.node.origin })),
    pools: [...view.pools].map(([service, pool]) => [
      service,
      pool.map((node) => places.get(node)).filter((place) => place !== undefined),
    ]),
  };
  return {
    head: JSON.stringify(head),
    nodes: JSON.stringify(known),
    brokers: JSON.stringify(brokers),
    shares: encodeShares(view),
  };
}

function wireOf(leader: LeaderView): LeaderWire {
  if (leader.state === 'serving') return { ...leader, node: leader.node.origin };
  if (leader.state === 'elected') return { ...leader, node: leader.node?.origin ?? null };
  return leader;
}

export function encodeShares({ brokers }: ClusterView): string {
  const warming = brokers.filter(({ node }) => node.share < 1);
  return JSON.stringify(warming.map(({ node }) => [node.origin, node.share]) satisfies Shares);
}

/** What is in `next` and not in `before`; null when nothing is. */
export function changedParts(before: ViewParts | null, next: ViewParts): Partial<ViewParts> | null {
  const changed = Object.entries(next).filter(([part, text]) => before?.[part as keyof ViewParts] !== text);
  return changed.length === 0 ? null : Object.fromEntries(changed);
}

/** Puts views together again, on node objects of this process that outlive them. */
export interface ViewReader {
  /** The view after these parts have changed; the first time all of them are needed. */
  read(parts: Partial<ViewParts>): ClusterView;
}

export function createViewReader(): ViewReader {
  const objects = createNodes();
  let head: Head;
  let known: Nodes = [];
  let wire: Brokers = { views: [], pools: [] };
  let brokers: readonly BrokerView[] = [];
  let pools: ReadonlyMap<string, readonly UpstreamNode[]> = new Map();

  function readBrokers(text: string): void {
    wire = JSON.parse(text) as Brokers;
    brokers = wire.views.map((broker) => ({ ...broker, node: objects.at(broker.node) }));
    pools = new Map(
      wire.pools.map(([service, members]) => [
        service,
        members.map((place) => brokers[place]?.node).filter((node) => node !== undefined),
      ]),
    );
  }

  function readShares(text: string): void {
    for (const { node } of brokers) node.takeShare(1);
    for (const [origin, share] of JSON.parse(text) as Shares) objects.at(origin).takeShare(share);
  }

  function leader(wired: LeaderWire): LeaderView {
    if (wired.state === 'serving') return { ...wired, node: objects.at(wired.node) };
    if (wired.state === 'elected') {
      return { ...wired, node: wired.node === null ? null : objects.at(wired.node) };
    }
    return wired;
  }

  return {
    read(parts) {
      if (parts.head !== undefined) head = JSON.parse(parts.head) as Head;
      if (parts.nodes !== undefined) known = JSON.parse(parts.nodes) as Nodes;
      if (parts.brokers !== undefined) readBrokers(parts.brokers);
      if (parts.shares !== undefined) readShares(parts.shares);
      const { leaders, cordoned, ...plain } = head;
      const nodes = new Map(known.map(([origin]) => [origin, objects.at(origin)]));
      objects.retain(new Set(nodes.keys()));
      return {
        ...plain,
        leaders: { coordinator: leader(leaders.coordinator), overlord: leader(leaders.overlord) },
        brokers,
        pools,
        cordoned: new Set(cordoned),
        nodes,
        roles: new Map(known.filter(([, roles]) => roles.length > 0)) as ClusterView['roles'],
      };
    },
  };
}
