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

/** How a leader is known; `stale` is a latch that discovery cannot vouch for any more and no probe has confirmed. */
export type KnownBy = 'latch' | 'probe' | 'both' | 'stale' | 'nothing';

interface LeaderSeen {
  readonly role: MasterRole;
  /** Epoch milliseconds since when state, node and term are what they are. */
  readonly since: number;
}

/** Nobody is elected, or nobody knows who is. */
export interface NoLeader extends LeaderSeen {
  readonly state: 'none';
  readonly node: null;
  readonly term: null;
  readonly knownBy: 'nothing';
  readonly waitReason: WaitReason;
}

/** The latch names a node that has not confirmed yet, or not again. */
export interface ElectedLeader extends LeaderSeen {
  readonly state: 'elected';
  /** Null when the latch's data names no node. */
  readonly node: UpstreamNode | null;
  /** The latch's sequence number; null where there is no latch. */
  readonly term: number | null;
  readonly knownBy: Exclude<KnownBy, 'nothing'>;
  readonly waitReason: WaitReason;
}

/** The node itself said that it leads. */
export interface ServingLeader extends LeaderSeen {
  readonly state: 'serving';
  readonly node: UpstreamNode;
  /** The latch's sequence number; null where there is no latch, or it names another one. */
  readonly term: number | null;
  readonly knownBy: Exclude<KnownBy, 'nothing'>;
  readonly waitReason: null;
}

/** Who leads: `waitReason` says why requests wait, unless the leader serves. */
export type LeaderView = NoLeader | ElectedLeader | ServingLeader;

export type LeaderState = LeaderView['state'];

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
