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
 * A view for another process, as four JSON texts. Parts whose text has not changed are not sent again, so a change
 * of leader does not resend a thousand Brokers. Nodes are named by their origins.
 */
export interface ViewParts {
  readonly head: string;
  readonly nodes: string;
  readonly brokers: string;
  /** Traffic shares of the Brokers that start slowly. */
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

type Nodes = readonly (readonly [origin: string, roles: readonly Role[], address?: string])[];

interface Brokers {
  readonly views: readonly (Omit<BrokerView, 'node'> & { readonly node: string })[];
  /** For each service, the indexes of its Brokers in `views`. */
  readonly pools: readonly (readonly [service: string, members: readonly number[]])[];
}

type Shares = readonly (readonly [origin: string, share: number])[];

/** Encodes a view; it contains no node objects. */
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
  const known: Nodes = [...nodes].map(([origin, { address }]) => {
    const its = roles.get(origin) ?? [];
    return address === null ? [origin, its] : [origin, its, address];
  });
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

/** Encodes the shares of the Brokers whose share is below 1. */
export function encodeShares({ brokers }: ClusterView): string {
  const warming = brokers.filter(({ node }) => node.share < 1);
  return JSON.stringify(warming.map(({ node }) => [node.origin, node.share]) satisfies Shares);
}

/** Returns the parts of `next` that differ from `before`, or null if none do. */
export function changedParts(before: ViewParts | null, next: ViewParts): Partial<ViewParts> | null {
  const changed = Object.entries(next).filter(([part, text]) => before?.[part as keyof ViewParts] !== text);
  return changed.length === 0 ? null : Object.fromEntries(changed);
}

/** Rebuilds views from their parts, using node objects of this process that outlive each view. */
export interface ViewReader {
  /** Returns the view with these parts replaced. The first call needs all parts. */
  read(parts: Partial<ViewParts>): ClusterView;
}

/** Creates a reader that holds no view yet. */
export function createViewReader(): ViewReader {
  const objects = createNodes();
  let head: Head;
  let known: Nodes = [];
  let wire: Brokers = { views: [], pools: [] };
  let brokers: readonly BrokerView[] = [];
  let pools: ReadonlyMap<string, readonly UpstreamNode[]> = new Map();

  function readNodes(text: string): void {
    known = JSON.parse(text) as Nodes;
    for (const [origin, , address] of known) objects.at(origin).reachAt(address ?? null);
  }

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
      if (parts.nodes !== undefined) readNodes(parts.nodes);
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
        roles: new Map(
          known.filter(([, roles]) => roles.length > 0).map(([origin, roles]) => [origin, roles]),
        ),
      };
    },
  };
}
