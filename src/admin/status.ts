import type { Cluster } from '../cluster/contract.ts';
import type { BrokerView, ClusterView } from '../cluster/view.ts';
import { type Discovery, MASTER_ROLES, type MasterRole } from '../discovery/discovery.ts';

export interface StatusSources {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly draining: () => boolean;
  readonly version: string;
  readonly config: unknown;
  readonly workers?: () => readonly WorkerStatus[] | null;
}

/**
 * Why a worker ended: by a `fault` of its own that nobody caught, `killed` by a signal of somebody else's, killed by the
 * primary because it was `stuck`, `stopped` in peace because it was asked to, or with an `error` code of its own.
 */
export const EXIT_REASONS = ['fault', 'killed', 'stuck', 'stopped', 'error'] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

export interface WorkerExit {
  readonly reason: ExitReason;
  readonly code: number | null;
  readonly signal: string | null;
  /** ISO time. */
  readonly when: string;
}

/** A process that serves clients. */
export interface WorkerStatus {
  /** From 1; the one that replaces it has the same. */
  readonly worker: number;
  readonly pid: number | null;
  readonly state: 'starting' | 'serving' | 'draining' | 'gone';
  /** Seconds. */
  readonly uptime: number;
  readonly inFlight: number;
  /** How often it was replaced. */
  readonly restarts: number;
  /** How the one before ended; absent where there was none. */
  readonly lastExit?: WorkerExit;
}

/** The body of `GET /status`: everything that requests are decided on, as of now. Ages are in seconds. */
export function describeStatus(sources: StatusSources, started: number, now: number): object {
  const { cluster, discovery, draining, version, config } = sources;
  const workers = sources.workers?.() ?? null;
  const { view } = cluster;
  return {
    version,
    uptime: seconds(started, now),
    draining: draining(),
    complete: view.complete,
    ...(workers === null ? {} : { workers }),
    leaders: Object.fromEntries(MASTER_ROLES.map((role) => [role, leader(view, role, now)])),
    brokers: view.brokers.map(broker),
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
