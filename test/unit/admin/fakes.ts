import { EventEmitter } from 'node:events';
import type { Cluster, ClusterEvents } from '../../../src/cluster/cluster.ts';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import type { ClusterView, LeaderView, NoLeader, ServingLeader } from '../../../src/cluster/view.ts';
import {
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  type MasterRole,
  type SourceStatus,
} from '../../../src/discovery/discovery.ts';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';

export function node(hostAndPort: string, outstanding = 0): UpstreamNode {
  const made = new UpstreamNode(`http://${hostAndPort}`);
  made.recount(outstanding);
  return made;
}

export function leaderless(role: MasterRole): NoLeader {
  return {
    role,
    state: 'none',
    node: null,
    term: null,
    knownBy: 'nothing',
    since: 0,
    waitReason: 'no_leader',
  };
}

export function serving(
  role: MasterRole,
  leader: UpstreamNode,
  term: number | null,
  since = 0,
): ServingLeader {
  return { role, state: 'serving', node: leader, term, knownBy: 'both', since, waitReason: null };
}

const CONNECTED: SourceStatus = { state: 'connected', since: 0, detail: null };

export const EMPTY_VIEW: ClusterView = {
  version: 0,
  complete: false,
  discovery: CONNECTED,
  readAt: 0,
  leaders: { coordinator: leaderless('coordinator'), overlord: leaderless('overlord') },
  rivals: { coordinator: [], overlord: [] },
  brokers: [],
  pools: new Map(),
  cordoned: new Set(),
  nodes: new Map(),
  roles: new Map(),
};

/** A cluster whose view the test sets. */
export class FakeCluster extends EventEmitter<ClusterEvents> implements Cluster {
  view: ClusterView = EMPTY_VIEW;

  show(change: Partial<ClusterView>): void {
    this.view = { ...this.view, ...change, version: this.view.version + 1 };
    this.emit('view', this.view);
  }

  lead(leader: LeaderView): void {
    const before = this.view.leaders[leader.role];
    this.show({ leaders: { ...this.view.leaders, [leader.role]: leader } });
    this.emit('leader', before, leader);
  }

  report(): void {}
  cordon(_hostAndPort: string, _cordoned: boolean): void {}
  start(): void {}
  async close(): Promise<void> {}
}

/** A discovery whose status the test sets. */
export class FakeDiscovery extends EventEmitter<DiscoveryEvents> implements Discovery {
  readonly kind = 'zookeeper';
  snapshot: DiscoverySnapshot = EMPTY_SNAPSHOT;
  status: SourceStatus = CONNECTED;
  readonly sessionStats = { reconnects: 3, watches: 7 };

  become(status: SourceStatus): void {
    this.status = status;
    this.emit('status', status);
  }

  start(): void {}
  async close(): Promise<void> {}
}

export function exchange(change: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id: 'r-1',
    method: 'POST',
    path: '/druid/v2/sql',
    role: 'broker',
    class: 'query',
    status: 200,
    reason: null,
    upstream: '10.0.0.1:8082',
    attempts: 1,
    redirected: false,
    end: 'complete',
    durationMs: 12.34,
    parkedMs: 0,
    leaderWait: null,
    bytesIn: 100,
    bytesOut: 1000,
    remoteAddress: '192.0.2.1',
    queryId: null,
    placement: null,
    trace: null,
    user: null,
    ...change,
  };
}
