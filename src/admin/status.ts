import type { Cluster } from '../cluster/cluster.ts';
import type { RecentTraffic } from '../cluster/node-traffic.ts';
import type { BrokerView, ClusterView, KnownBy, LeaderState, WaitReason } from '../cluster/view.ts';
import { type Discovery, MASTER_ROLES, type MasterRole, type Role } from '../discovery/discovery.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';

export interface StatusSources {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly draining: () => boolean;
  readonly version: string;
  readonly workers?: () => readonly WorkerStatus[] | null;
}

/** The labels that a node announces; absent if it announces none. */
interface Labelled {
  readonly labels?: Readonly<Record<string, string>>;
}

export interface LeaderStatus extends Labelled {
  readonly state: LeaderState;
  /** `host:port` */
  readonly node: string | null;
  readonly term: number | null;
  /** Seconds since state, node or term last changed. */
  readonly age: number;
  readonly knownBy: KnownBy;
  readonly waitReason: WaitReason | null;
  readonly rivals: readonly string[];
  readonly outstanding: number;
}

export interface BrokerStatus extends Labelled, Omit<BrokerView, 'node'> {
  /** `host:port` */
  readonly node: string;
  readonly share: number;
  readonly outstanding: number;
  /** What became of the attempts at it in the last minute. */
  readonly lastMinute: RecentTraffic;
}

export interface DiscoveryStatus {
  readonly kind: string;
  readonly state: string;
  /** ISO time. */
  readonly since: string;
  /** Seconds since discovery was last read; null if it never was. */
  readonly age: number | null;
  readonly detail: string | null;
}

/** The current state that requests are decided on. */
export interface State {
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly draining: boolean;
  readonly complete: boolean;
  readonly workers?: readonly WorkerStatus[];
  readonly leaders: Readonly<Record<MasterRole, LeaderStatus>>;
  readonly brokers: readonly BrokerStatus[];
  readonly cordoned: readonly string[];
  readonly discovery: DiscoveryStatus;
}

/** Describes the current state. `started` and `now` are in epoch milliseconds. */
export function describeState(sources: StatusSources, started: number, now: number): State {
  const { cluster, discovery, draining, version } = sources;
  const workers = sources.workers?.() ?? null;
  const { view } = cluster;
  const labelsOf = announcedLabels(discovery);
  const clock = performance.now();
  return {
    version,
    uptime: seconds(started, now),
    draining: draining(),
    complete: view.complete,
    ...(workers === null ? {} : { workers }),
    leaders: Object.fromEntries(
      MASTER_ROLES.map((role) => {
        const described = leader(view, role, now);
        return [role, { ...described, ...labelsOf(role, described.node) }];
      }),
    ) as Record<MasterRole, LeaderStatus>,
    brokers: view.brokers.map((view) => ({
      ...broker(view, clock),
      ...labelsOf('broker', view.node.hostAndPort),
    })),
    cordoned: [...view.cordoned],
    discovery: describeDiscovery(discovery, view, now),
  };
}

/** Returns the body of `GET /status`: the state, and the configuration. */
export function describeStatus(
  sources: StatusSources & { readonly config: unknown },
  started: number,
  now: number,
): object {
  return { ...describeState(sources, started, now), config: sources.config };
}

function announcedLabels(discovery: Discovery): (role: Role, hostAndPort: string | null) => Labelled {
  const { announcements } = discovery.snapshot;
  const byNode = (role: Role) =>
    new Map(announcements[role].map(({ hostAndPort, labels }) => [hostAndPort, labels]));
  const roles = {
    coordinator: byNode('coordinator'),
    overlord: byNode('overlord'),
    broker: byNode('broker'),
  };
  return (role, hostAndPort) => {
    const labels = hostAndPort === null ? undefined : roles[role].get(hostAndPort);
    return labels === undefined ? {} : { labels: Object.fromEntries(labels) };
  };
}

function leader({ leaders, rivals }: ClusterView, role: MasterRole, now: number): LeaderStatus {
  const view = leaders[role];
  return {
    state: view.state,
    node: view.node?.hostAndPort ?? null,
    term: view.term,
    age: seconds(view.since, now),
    knownBy: view.knownBy,
    waitReason: view.waitReason,
    rivals: rivals[role].map((origin) => origin.slice(origin.indexOf('//') + 2)),
    outstanding: view.node?.outstanding ?? 0,
  };
}

/** `clock` is that of `NodeTraffic`. */
function broker({ node, service, ready, cordoned, ejected, why }: BrokerView, clock: number): BrokerStatus {
  const { hostAndPort, outstanding, share } = node;
  return {
    node: hostAndPort,
    service,
    ready,
    cordoned,
    ejected,
    why,
    share,
    outstanding,
    lastMinute: node.traffic.recent(clock),
  };
}

function describeDiscovery(discovery: Discovery, view: ClusterView, now: number): DiscoveryStatus {
  const { state, since, detail } = discovery.status;
  return {
    kind: discovery.kind,
    state,
    since: new Date(since).toISOString(),
    age: view.readAt === 0 ? null : seconds(view.readAt, now),
    detail,
  };
}

function seconds(since: number, now: number): number {
  return Math.max(0, now - since) / 1000;
}
