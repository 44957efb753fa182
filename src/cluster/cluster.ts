import type { EventEmitter } from 'node:events';
import type { MasterRole } from '../discovery/discovery.ts';
import type { Ejection } from './brokers/brokers.ts';
import type { NodeOutcome, UpstreamNode } from './node.ts';
import type { ClusterView, LeaderView } from './view.ts';

export interface ClusterEvents {
  /** A new view; whoever waits for a leader or a Broker looks again. */
  view: [ClusterView];
  /** A leader's state, node or term changed (already part of the view that was emitted with it). */
  leader: [LeaderView, LeaderView];
  /** A second node claims to lead while the latch names another. */
  conflict: [{ role: MasterRole; latch: string; claims: string }];
  /** A Broker is out for a time because its requests failed. */
  ejection: [Ejection];
  /** A node cannot be asked because TLS to it fails: `why` completes a sentence. */
  tlsFault: [{ origin: string; why: string }];
}

/** The cluster as requests see it: `view` is read synchronously, `report` feeds back what requests found out. */
export interface Cluster extends EventEmitter<ClusterEvents> {
  readonly view: ClusterView;
  report(node: UpstreamNode, outcome: NodeOutcome): void;
  /** Takes the Broker at this `host:port` out of the pool, or puts it back; what it is doing goes on. */
  cordon(hostAndPort: string, cordoned: boolean): void;
  start(): void;
  close(): Promise<void>;
}
