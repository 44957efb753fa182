import type { MasterRole, Role, SourceStatus } from '../discovery/discovery.ts';
import type { ReasonsOf } from '../errors/catalogue.ts';
import type { UpstreamNode } from './node.ts';

/** Why a request cannot be forwarded yet. Also the `reason` of the 503 if the wait fails. */
export type WaitReason = ReasonsOf<
  | 'discovery_incomplete'
  | 'no_leader'
  | 'leader_initialising'
  | 'leader_unreachable'
  | 'discovery_stale'
  | 'no_ready_broker'
>;

/**
 * How the gateway knows the leader. `stale`: discovery can no longer vouch for the latch, and no probe has confirmed
 * it.
 */
export type KnownBy = 'latch' | 'probe' | 'both' | 'stale' | 'nothing';

interface LeaderSeen {
  readonly role: MasterRole;
  /** Epoch milliseconds at which state, node or term last changed. */
  readonly since: number;
}

/** No leader is elected, or the leader is unknown. */
export interface NoLeader extends LeaderSeen {
  readonly state: 'none';
  readonly node: null;
  readonly term: null;
  readonly knownBy: 'nothing';
  readonly waitReason: WaitReason;
}

/** The latch names a node that has not confirmed its leadership, or not since the last doubt. */
export interface ElectedLeader extends LeaderSeen {
  readonly state: 'elected';
  /** Null when the latch's data names no node. */
  readonly node: UpstreamNode | null;
  /** The latch's sequence number; null if there is no latch. */
  readonly term: number | null;
  readonly knownBy: Exclude<KnownBy, 'nothing'>;
  readonly waitReason: WaitReason;
}

/** The node itself confirmed that it leads. */
export interface ServingLeader extends LeaderSeen {
  readonly state: 'serving';
  readonly node: UpstreamNode;
  /** The latch's sequence number; null if there is no latch, or if the latch names another node. */
  readonly term: number | null;
  readonly knownBy: Exclude<KnownBy, 'nothing'>;
  readonly waitReason: null;
}

/** The leader of one role. `waitReason` says why requests wait; null once the leader serves. */
export type LeaderView = NoLeader | ElectedLeader | ServingLeader;

export type LeaderState = LeaderView['state'];

export interface BrokerView {
  readonly node: UpstreamNode;
  /** `druid.service`: the tier. */
  readonly service: string;
  /** The balancer gives it new queries. */
  readonly ready: boolean;
  /** An operator took it out of its pool. */
  readonly cordoned: boolean;
  /** It is out of its pool for a time because its requests failed. */
  readonly ejected: boolean;
  /** For people: why the Broker gets queries, or why not. */
  readonly why: string;
}

/** The state that routing decisions use. It is immutable and replaced as a whole; nothing awaits it. */
export interface ClusterView {
  readonly version: number;
  /** Discovery has been read completely once. Until then the gateway is not ready. */
  readonly complete: boolean;
  readonly discovery: SourceStatus;
  /** Epoch milliseconds at which discovery was last read. */
  readonly readAt: number;
  readonly leaders: Readonly<Record<MasterRole, LeaderView>>;
  /** Origins of nodes that claim to lead while another node leads. Each one raises an alarm. */
  readonly rivals: Readonly<Record<MasterRole, readonly string[]>>;
  /** All announced Brokers, ready or not; for status pages. */
  readonly brokers: readonly BrokerView[];
  /** Ready Brokers by service name; the balancer draws from these. */
  readonly pools: ReadonlyMap<string, readonly UpstreamNode[]>;
  /** `host:port` of the Brokers that an operator took out, including Brokers that are not announced now. */
  readonly cordoned: ReadonlySet<string>;
  /** Every announced or elected node by origin. The gateway may follow Druid's redirects to these nodes. */
  readonly nodes: ReadonlyMap<string, UpstreamNode>;
  /** The roles that each origin is announced for; for status pages. */
  readonly roles: ReadonlyMap<string, readonly Role[]>;
}
