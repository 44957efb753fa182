import type { EventEmitter } from 'node:events';

/** The two roles of which one process at a time is active. */
export type MasterRole = 'coordinator' | 'overlord';

/** The Druid roles that the gateway sends requests to. */
export type Role = MasterRole | 'broker';

export const MASTER_ROLES: readonly MasterRole[] = ['coordinator', 'overlord'];
export const ROLES: readonly Role[] = ['coordinator', 'overlord', 'broker'];

/**
 * A Druid process as it announces itself (`/druid/internal-discovery/<ROLE>/<host:port>` in ZooKeeper, annotations of its
 * pod in Kubernetes, services in Consul), or as a static configuration names it.
 */
export interface Announcement {
  readonly role: Role;
  /** Druid's own key for a node, `hostAndPortToUse`: `host:port`, IPv6 in brackets, the TLS port if TLS is on. */
  readonly hostAndPort: string;
  /** `http://host:port` or `https://host:port`, without a trailing slash; IPv6 in brackets. */
  readonly origin: string;
  /** `druid.service`; for Brokers this names the tier, by default `druid/broker`. */
  readonly service: string;
  /** The Druid version, if the node announces it. */
  readonly version: string | null;
  /** The IP address to connect to instead of the host in `origin`; absent if that is to be resolved. */
  readonly address?: string;
  /** `druidNode.labels` (Druid 36), whatever their names; absent if there are none. */
  readonly labels?: readonly Label[];
}

/** A label that an operator gave a node: zone, rack, colour. */
export type Label = readonly [name: string, value: string];

/** One child of a leader latch; the children lead in order. In Kubernetes and Consul there is no queue, and one at most. */
export interface LatchParticipant {
  /**
   * The leader's *term*: ZooKeeper's sequence number, `leaderTransitions` in Kubernetes, `CreateIndex` in Consul. -1 if
   * the source does not number it.
   */
  readonly sequence: number;
  /** The node's origin, or null if its data is empty or not an http(s) URL. */
  readonly origin: string | null;
}

/** A leader latch as last read. The first participant leads, even if its origin is null. */
export interface Latch {
  readonly participants: readonly LatchParticipant[];
}

/**
 * State of the source. `suspended`: out of touch, but who led may still lead. `lost`: for so long that the session has
 * ended, or the leader's lease. A latch is authoritative only while `connected`; otherwise it is the last one known.
 */
export type SourceState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed';

export interface SourceStatus {
  readonly state: SourceState;
  /** Epoch milliseconds of the last change of `state`. */
  readonly since: number;
  /** The reason, in one sentence without credentials; null if there is none. */
  readonly detail: string | null;
}

/** Everything that discovery knows. Snapshots are immutable and replaced as a whole. */
export interface DiscoverySnapshot {
  /** Grows by one with every snapshot. */
  readonly version: number;
  /** True once every part (both latches, all roles) has been read at least once. */
  readonly complete: boolean;
  /** Null if the source has no latches (static, DNS); then only probes show who leads. */
  readonly latches: Readonly<Record<MasterRole, Latch>> | null;
  readonly announcements: Readonly<Record<Role, readonly Announcement[]>>;
  /** Epoch milliseconds when this content was last read from the source; 0 before the first read. */
  readonly readAt: number;
}

export interface DiscoveryEvents {
  /** A snapshot that differs from the one before. Changes read together are emitted once. */
  snapshot: [DiscoverySnapshot];
  /** The source was read again and has not changed: `readAt` of the snapshot is newer. */
  read: [];
  status: [SourceStatus];
  /** A problem that does not stop discovery: an entry that cannot be parsed, a refused read. One sentence. */
  fault: [string];
}

export type SourceKind = 'zookeeper' | 'kubernetes' | 'consul' | 'dns' | 'static';

/**
 * A source of snapshots. It knows nothing of requests, of health, or of which node serves.
 *
 * `start` returns at once; an unreachable source is a status, not an error. `close` ends all handles.
 */
export interface Discovery extends EventEmitter<DiscoveryEvents> {
  readonly kind: SourceKind;
  readonly snapshot: DiscoverySnapshot;
  readonly status: SourceStatus;
  /** Those that this one tells of; absent if it reads by itself. */
  readonly sources?: readonly Discovery[];
  start(): void;
  close(): Promise<void>;
}

/** Those that read by themselves, of which a discovery is made; the order of trust is kept. */
export function readersOf(discovery: Discovery): readonly Discovery[] {
  return discovery.sources?.flatMap(readersOf) ?? [discovery];
}

export const EMPTY_SNAPSHOT: DiscoverySnapshot = {
  version: 0,
  complete: false,
  latches: null,
  announcements: { coordinator: [], overlord: [], broker: [] },
  readAt: 0,
};
