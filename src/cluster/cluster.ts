import type { EventEmitter } from 'node:events';
import type { MasterRole } from '../discovery/discovery.ts';
import type { Ejection } from './brokers/brokers.ts';
import type { NodeOutcome, UpstreamNode } from './node.ts';
import type { ClusterView, LeaderView } from './view.ts';

export interface ClusterEvents {
  /** A new view. Requests that wait for a leader or a Broker check again. */
  view: [ClusterView];
  /**
   * A leader's state, node or term changed: the old view and the new one. The preceding `view` event already has it.
   */
  leader: [LeaderView, LeaderView];
  /** A second node claims to lead while the latch names another. */
  conflict: [{ role: MasterRole; latch: string; claims: string }];
  /** A Broker was ejected for a time because its requests failed. */
  ejection: [Ejection];
  /** A node cannot be probed because TLS to it fails. `why` completes a sentence. */
  tlsFault: [{ origin: string; why: string }];
}

/** The cluster as requests see it. They read `view` synchronously, and `report` what they learned about a node. */
export interface Cluster extends EventEmitter<ClusterEvents> {
  readonly view: ClusterView;
  report(node: UpstreamNode, outcome: NodeOutcome): void;
  /** Takes the Broker at `hostAndPort` out of its pool, or puts it back. Its running requests go on. */
  cordon(hostAndPort: string, cordoned: boolean): void;
  start(): void;
  close(): Promise<void>;
}
