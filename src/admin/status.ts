import type { Cluster } from '../cluster/cluster.ts';
import type { BrokerView, ClusterView } from '../cluster/view.ts';
import { type Discovery, MASTER_ROLES, type MasterRole, type Role } from '../discovery/discovery.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';

export interface StatusSources {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly draining: () => boolean;
  readonly version: string;
  readonly config: unknown;
  readonly workers?: () => readonly WorkerStatus[] | null;
}

/**
 * Returns the body of `GET /status`: the current state that requests are decided on. Ages are in seconds, `started`
 * and `now` in epoch milliseconds.
 */
export function describeStatus(sources: StatusSources, started: number, now: number): object {
  const { cluster, discovery, draining, version, config } = sources;
  const workers = sources.workers?.() ?? null;
  const { view } = cluster;
  const { announcements } = discovery.snapshot;

  /** Returns the labels that the node announces, or nothing if it has none. */
  function labels(role: Role, hostAndPort: string | undefined): object {
    const found = announcements[role].find((node) => node.hostAndPort === hostAndPort)?.labels;
    return found === undefined ? {} : { labels: Object.fromEntries(found) };
  }

  return {
    version,
    uptime: seconds(started, now),
    draining: draining(),
    complete: view.complete,
    ...(workers === null ? {} : { workers }),
    leaders: Object.fromEntries(
      MASTER_ROLES.map((role) => {
        const described = leader(view, role, now);
        return [role, { ...described, ...labels(role, view.leaders[role].node?.hostAndPort) }];
      }),
    ),
    brokers: view.brokers.map((view) => ({ ...broker(view), ...labels('broker', view.node.hostAndPort) })),
    cordoned: [...view.cordoned],
    discovery: describeDiscovery(discovery, view, now),
    config,
  };
}

function leader({ leaders, rivals }: ClusterView, role: MasterRole, now: number): object {
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

function broker({ node, service, ready, cordoned, ejected, why }: BrokerView): object {
  const { hostAndPort, outstanding, share } = node;
  return { node: hostAndPort, service, ready, cordoned, ejected, why, share, outstanding };
}

function describeDiscovery(discovery: Discovery, view: ClusterView, now: number): object {
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
