import type { Cluster } from '../cluster/contract.ts';
import type { BrokerView, ClusterView, LeaderView } from '../cluster/view.ts';
import { type Discovery, MASTER_ROLES } from '../discovery/discovery.ts';

export interface StatusSources {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly draining: () => boolean;
  readonly version: string;
  readonly config: unknown;
}

/** The body of `GET /status`: everything that requests are decided on, as of now. Ages are in seconds. */
export function describeStatus(sources: StatusSources, started: number, now: number): object {
  const { cluster, discovery, draining, version, config } = sources;
  const { view } = cluster;
  return {
    version,
    uptime: seconds(started, now),
    draining: draining(),
    complete: view.complete,
    leaders: Object.fromEntries(MASTER_ROLES.map((role) => [role, leader(view.leaders[role], now)])),
    brokers: view.brokers.map(broker),
    discovery: describeDiscovery(discovery, view, now),
    config,
  };
}

function leader(view: LeaderView, now: number): object {
  return {
    state: view.state,
    node: view.node?.hostAndPort ?? null,
    term: view.term,
    age: seconds(view.since, now),
    knownBy: view.knownBy,
    waitReason: view.waitReason,
    outstanding: view.node?.outstanding ?? 0,
  };
}

function broker({ node, service, ready, why }: BrokerView): object {
  return { node: node.hostAndPort, service, ready, why, outstanding: node.outstanding };
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
