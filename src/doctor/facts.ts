import type { LeaderClaim } from '../cluster/leadership/leadership.ts';
import type { Config } from '../config/schema.ts';
import type { LatchParticipant, MasterRole } from '../discovery/discovery.ts';
import type { StoreFacts } from './store/store-facts.ts';

/** Everything that the checks judge, collected once. Texts of nodes and servers are untrusted. */
export interface Facts {
  /** What doctor was started with. */
  readonly config: Config;
  /** Null where ZooKeeper is not one of the sources. */
  readonly zookeeper: ZooKeeperFacts | null;
  /** Null where Kubernetes is not one of the sources. */
  readonly kubernetes: KubernetesFacts | null;
  /** Null where Consul is not one of the sources. */
  readonly consul: ConsulFacts | null;
  /** Null where DNS is not one of the sources. */
  readonly dns: DnsFacts | null;
  /** Of the source that is believed: the first that could be read whole. */
  readonly nodes: readonly NodeFacts[];
  readonly leadership: Readonly<Record<MasterRole, LeadershipFacts>>;
  /** `/status/properties` of the masters and a Broker; empty where nobody could be asked. */
  readonly properties: readonly NodeProperties[];
  /** Null: no node said. True: nodes want credentials for what tells their state. */
  readonly guarded: boolean | null;
  /** Null without `--watch`. */
  readonly watched: WatchFacts | null;
  readonly gateway: GatewayFacts;
  /** The metadata store, asked itself; null without `--metadata-url`. */
  readonly store: StoreFacts | null;
}

/** What a server showed as its certificate. */
export interface CertificateFacts {
  /** Epoch milliseconds of its end; null where it shows none. */
  readonly validTo: number | null;
  /** Why it is not trusted or does not fit the name; null where it is and does. */
  readonly problem: string | null;
}

/** One ZooKeeper server, asked by itself. */
export interface ServerFacts {
  /** `host:port`. */
  readonly name: string;
  readonly connected: boolean;
  /** Session timeout in ms, as granted; null without a session. */
  readonly grantedTimeoutMs: number | null;
  /** Why there is no session. */
  readonly detail: string | null;
  /** `leader`, `follower`, `observer` or `standalone`, by `srvr` or `mntr`; null where it does not say. */
  readonly mode: string | null;
  /** Whether it answered a four-letter word with a sentence that it does not serve. */
  readonly serves: boolean | null;
  readonly certificate: CertificateFacts | null;
}

/** A member of the ensemble, by the dynamic configuration. */
export interface Member {
  readonly id: number;
  readonly voter: boolean;
  /** `host:port` for clients; null where the configuration does not name it. */
  readonly client: string | null;
}

export interface ZooKeeperFacts {
  /** With its chroot. */
  readonly connect: string;
  readonly requestedTimeoutMs: number;
  readonly servers: readonly ServerFacts[];
  /** Null: not told. Empty: one server that is no member of an ensemble. */
  readonly members: readonly Member[] | null;
  /** Null where no server could be read. */
  readonly tree: TreeFacts | null;
}

/** What the Kubernetes API says of one cluster of Druid. */
export interface KubernetesFacts {
  readonly server: string;
  readonly namespace: string;
  readonly clusterIdentifier: string;
  /** Why it could not be read whole; null if it was. */
  readonly problem: string | null;
  /** Pods with the label of the cluster. */
  readonly pods: number;
  /** The names of those that do not count, since not all of their containers are ready. */
  readonly notReady: readonly string[];
  /** Entries that are of no use, each with why. */
  readonly faults: readonly string[];
}

/** What Consul says of one cluster of Druid. */
export interface ConsulFacts {
  readonly server: string;
  readonly servicePrefix: string;
  /** Why it could not be read whole; null if it was. */
  readonly problem: string | null;
  /** Announcements of services that pass. */
  readonly nodes: number;
  /** Entries that are of no use, each with why. */
  readonly faults: readonly string[];
}

/** What the SRV records of the configured names say. */
export interface DnsFacts {
  /** Why not all names could be asked; null if they were. */
  readonly problem: string | null;
  readonly nodes: number;
  /** Records that are of no use, each with why. */
  readonly faults: readonly string[];
}

/** What Druid keeps in ZooKeeper. */
export interface TreeFacts {
  readonly basePath: string;
  readonly baseExists: boolean;
  /** The folders of announcements that exist. */
  readonly folders: readonly string[];
  readonly latches: Readonly<Record<MasterRole, readonly LatchParticipant[] | null>>;
  /** Paths that may not be read with these credentials. */
  readonly refused: readonly string[];
  /** Announcements that are of no use, each with why. */
  readonly unreadable: readonly string[];
  /** Nodes that `discovery.allow` refuses, each with why. */
  readonly notAllowed: readonly string[];
  readonly gzip: number;
  readonly plain: number;
  /** Paths that look like a Druid cluster's base, where the configured one does not. */
  readonly nearMisses: readonly string[];
  /** How far the time of the newest znode is in the future, in ms; 0 where it is not. */
  readonly aheadMs: number;
  /** Whether the base path may be written by everybody; null where that may not be read. */
  readonly open: boolean | null;
}

/** A node as announced or configured, and what it says from here. */
export interface NodeFacts {
  /** `coordinator`, `overlord`, `broker`, `historical`, `middleManager`, `indexer` or `router`; a node may have two. */
  readonly roles: readonly string[];
  readonly origin: string;
  readonly hostAndPort: string;
  readonly service: string;
  /** As announced, or by its own `/status`; null where neither says. */
  readonly version: string | null;
  /** Addresses of its name; null where it has none. */
  readonly addresses: readonly string[] | null;
  /** Status of `/status/health`; otherwise why there is no answer. */
  readonly health: number | string;
  /** Time to that answer, in ms. */
  readonly latencyMs: number | null;
  /** Its clock less ours, in ms, at best to the second; null where it did not tell. */
  readonly clockMs: number | null;
  /** Null for plain HTTP. */
  readonly certificate: CertificateFacts | null;
  /** Of a Broker, the status of `readiness`; otherwise why there is no answer. */
  readonly readiness: number | string | null;
}

/** What one master says of who leads. */
export interface MasterAnswer {
  readonly origin: string;
  readonly claim: LeaderClaim;
  /** Whom its `leader` names: an origin, nobody, or nothing that it told. */
  readonly leader:
    | { readonly kind: 'named'; readonly origin: string }
    | { readonly kind: 'none' | 'guarded' | 'silent' };
  /** Where it sends a request; null for a master that leads or does not redirect. */
  readonly redirectsTo: string | null;
}

export interface LeadershipFacts {
  /** Null without a latch: static nodes, or ZooKeeper cannot be read. */
  readonly latch: readonly LatchParticipant[] | null;
  readonly answers: readonly MasterAnswer[];
}

export interface NodeProperties {
  readonly origin: string;
  readonly roles: readonly string[];
  readonly values: Readonly<Record<string, string>>;
}

/** How often the leader of each role changed while doctor watched. */
export interface WatchFacts {
  readonly durationMs: number;
  readonly changes: Readonly<Record<MasterRole, number>>;
}

/** What a running gateway says of itself. */
export interface GatewayFacts {
  /** The admin URL, or how else it is reached. */
  readonly where: string;
  /** Whether the caller named it, so that it should be there. */
  readonly expected: boolean;
  /** Null where none answers. */
  readonly status: GatewayStatus | null;
  /** Why there is no status. */
  readonly detail: string | null;
}

/** As much of `GET /status` as is judged. */
export interface GatewayStatus {
  readonly version: string;
  readonly leaders: Readonly<Record<MasterRole, { readonly node: string | null; readonly state: string }>>;
  readonly brokers: readonly { readonly node: string; readonly ready: boolean }[];
  readonly discovery: { readonly state: string };
  /** Its configuration, without secrets; null where it is not readable. */
  readonly config: Config | null;
}
