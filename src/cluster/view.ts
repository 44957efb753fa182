import type { MasterRole, Role, SourceStatus } from '../discovery/discovery.ts';
import type { ReasonsOf } from '../errors/catalogue.ts';
import type { UpstreamNode } from './node.ts';

/** Why a request cannot be sent on yet; also the `reason` of the 503 when waiting did not help. */
export type WaitReason = ReasonsOf<
  | 'discovery_incomplete'
  | 'no_leader'
  | 'leader_initialising'
  | 'leader_unreachable'
  | 'zookeeper_stale'
  | 'no_ready_broker'
>;

/**
 * `none`: nobody is elected. `elected`: the latch names a node that has not confirmed yet. `serving`: that node
 * itself said so.
 */
export type LeaderState = 'none' | 'elected' | 'serving';

/** How a leader is known; `stale` is a latch that discovery cannot vouch for any more and no probe has confirmed. */
export type KnownBy = 'latch' | 'probe' | 'both' | 'stale' | 'nothing';

export interface LeaderView {
  readonly role: MasterRole;
  readonly state: LeaderState;
  /** The elected or serving node; null in state `none` and when the latch's data names no node. */
  readonly node: UpstreamNode | null;
  /** The latch's sequence number; null where there is no latch. */
  readonly term: number | null;
  readonly knownBy: KnownBy;
  /** Epoch milliseconds since when state, node and term are what they are. */
  readonly since: number;
  /** Null while serving, otherwise why not. */
  readonly waitReason: WaitReason | null;
}

export interface BrokerView {
  readonly node: UpstreamNode;
  /** `druid.service`: the tier. */
  readonly service: string;
  /** Gets new queries. */
  readonly ready: boolean;
  /** An operator has taken it out. */
  readonly cordoned: boolean;
  /** It is out for a time because its requests failed. */
  readonly ejected: boolean;
  /** One sentence for people: why it gets queries or not. */
  readonly why: string;
}

/** What requests are decided on: immutable, swapped as a whole, never awaited. */
export interface ClusterView {
  readonly version: number;
  /** Discovery has been read whole once; before that the gateway is not ready. */
  readonly complete: boolean;
  readonly discovery: SourceStatus;
  /** Epoch milliseconds at which discovery was last read. */
  readonly readAt: number;
  readonly leaders: Readonly<Record<MasterRole, LeaderView>>;
  /** Origins of nodes that say they lead while another one does: each is an alarm. */
  readonly rivals: Readonly<Record<MasterRole, readonly string[]>>;
  /** All announced Brokers, ready or not, for status pages. */
  readonly brokers: readonly BrokerView[];
  /** Ready Brokers by service name: what the balancer draws from. */
  readonly pools: ReadonlyMap<string, readonly UpstreamNode[]>;
  /** `host:port` of the Brokers that an operator has taken out, also of those that are not announced now. */
  readonly cordoned: ReadonlySet<string>;
  /** Every announced or elected node by its origin: a redirect of Druid's to one of these may be followed. */
  readonly nodes: ReadonlyMap<string, UpstreamNode>;
  /** The roles under which each origin is announced, for status pages. */
  readonly roles: ReadonlyMap<string, readonly Role[]>;
}
