import { isIP } from 'node:net';
import { ContainedEmitter, contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { withoutBrackets } from '../../net/host-port.ts';
import { admit } from '../admission.ts';
import { type OriginRefusal, refusalOf } from '../allowed-origins.ts';
import type { ParsedAnnouncement } from '../announcement.ts';
import {
  type Announcement,
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  type Latch,
  MASTER_ROLES,
  type MasterRole,
  ROLES,
  type Role,
  type SourceStatus,
} from '../discovery.ts';
import { type ApiTarget, createHttpApi } from '../http-api.ts';
import { createLastingFaults } from '../lasting-faults.ts';
import { Parts } from '../parts.ts';
import { type Content, Publisher } from '../publisher.ts';
import {
  configMapOf,
  DEFAULT_LEASE_MS,
  type LeaderRecord,
  type ParsedRecord,
  parseLeaderRecord,
} from './leader-record.ts';
import { createLease, type Lease, latchOf } from './lease.ts';
import { createListWatch, type ListWatch } from './list-watch.ts';
import { CLUSTER_LABEL, type Pod, parsePod } from './pod.ts';

export interface KubernetesDiscoveryOptions extends ApiTarget {
  /** `druid.discovery.k8s.clusterIdentifier`. */
  readonly clusterIdentifier: string;
  /** The namespace of Druid's pods. */
  readonly namespace: string;
  /** The namespaces of the ConfigMaps of the elections; by default that of the pods. */
  readonly leaderNamespaces?: Partial<Readonly<Record<MasterRole, string>>>;
  /** Which address requests go to: the one that a node announces, or that of its pod. */
  readonly address: 'announced' | 'podIP';
  /** Why a node is not used; by default every node may be used. */
  readonly refusal?: OriginRefusal;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Longest delay between attempts, in ms. Default 5 s. */
  readonly maxDelayMs?: number;
  /** How long a request to the API may take, in ms. Default 5 s. */
  readonly requestMs?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Milliseconds of a clock that never goes back, for leases. */
  readonly clock?: () => number;
  readonly random?: () => number;
}

/** Discovery with figures of its watches, beyond the contract of every discovery. */
export interface KubernetesDiscovery extends Discovery {
  readonly watchStats: { readonly restarts: number; readonly watches: number };
  /** All pods of the cluster, also those that do not count. */
  readonly pods: readonly Pod[];
}

/** Bookmarks come about each minute. */
const PODS_QUIET_MS = 90_000;
/** A leader writes its record every 5 s by default (`retryPeriod`), so a quiet watch is looked at soon. */
const LEADER_QUIET_MS = 15_000;
const SHORTEST_QUIET_MS = 1_000;

/** An election as it was last read. */
interface Election {
  /** Of its ConfigMap, for messages. */
  readonly name: string;
  readonly fault: string | null;
  /** Null where nobody leads. */
  readonly holder: LeaderRecord | null;
}

const NOT_READ: Election = { name: '', fault: null, holder: null };

/**
 * Discovers Druid's nodes in Kubernetes as `druid-kubernetes-extensions` announces them: labels and annotations of pods
 * (`K8sDruidNodeAnnouncer`), and the ConfigMaps of both elections (`K8sDruidLeaderSelector`). The state is `connected`
 * while all three are watched; it is `lost` when one could not be read for as long as a leader may be silent.
 */
export function createKubernetesDiscovery(options: KubernetesDiscoveryOptions): KubernetesDiscovery {
  return new PodDiscovery(options);
}

type PartOptions<T> = Pick<
  Parameters<typeof createListWatch<T>>[0],
  'path' | 'select' | 'keep' | 'onChange' | 'quietMs'
>;

class PodDiscovery extends ContainedEmitter<DiscoveryEvents> implements KubernetesDiscovery {
  readonly kind = 'kubernetes';
  readonly #options: KubernetesDiscoveryOptions;
  readonly #errors: InternalErrors;
  readonly #refusal: OriginRefusal;
  readonly #clock: () => number;
  readonly #api;
  readonly #parts: Parts;
  readonly #watches: ListWatch[] = [];
  readonly #leases: Readonly<Record<MasterRole, Lease>> = {
    coordinator: createLease(),
    overlord: createLease(),
  };
  /** Each election as it was last read; a lease that ends afterwards is read again before anybody is told. */
  readonly #elections: Record<MasterRole, Election> = { coordinator: NOT_READ, overlord: NOT_READ };
  readonly #expiries = new Map<MasterRole, NodeJS.Timeout>();
  #pods: ReadonlyMap<string, Pod> = new Map();
  /** The pods have changed since announcements were last made of them. */
  #podsChanged = false;
  readonly #announcements: Record<Role, readonly Announcement[]> = {
    coordinator: [],
    overlord: [],
    broker: [],
  };
  readonly #publisher: Publisher;
  readonly #faults = createLastingFaults((fault) => this.emit('fault', fault));

  constructor(options: KubernetesDiscoveryOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    this.#errors = options.errors;
    this.#refusal = options.refusal ?? (() => null);
    this.#clock = options.clock ?? (() => performance.now());
    this.#api = createHttpApi(options);
    this.#parts = new Parts({
      onStatus: (status) => this.emit('status', status),
      lostAfterMs: () => this.#longestLeaseMs(),
      errors: options.errors,
      now: options.now ?? Date.now,
    });
    this.#publisher = new Publisher({
      content: () => this.#content(),
      onSnapshot: (snapshot) => this.emit('snapshot', snapshot),
      onRead: () => this.emit('read'),
      errors: options.errors,
    });
    const { namespace, clusterIdentifier, leaderNamespaces = {} } = options;
    this.#follow<Pod>(`pods in ${namespace}`, {
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
      select: { labelSelector: `${CLUSTER_LABEL}=${clusterIdentifier}` },
      keep: parsePod,
      onChange: (pods) => {
        this.#pods = pods;
        this.#podsChanged = true;
        this.#publisher.publishSoon();
      },
      quietMs: () => PODS_QUIET_MS,
    });
    for (const role of MASTER_ROLES) {
      const name = configMapOf(clusterIdentifier, role);
      const space = leaderNamespaces[role] ?? namespace;
      const shown = `ConfigMap ${name} in ${space}`;
      this.#follow<ParsedRecord>(shown, {
        path: `/api/v1/namespaces/${encodeURIComponent(space)}/configmaps`,
        select: { fieldSelector: `metadata.name=${name}` },
        keep: parseLeaderRecord,
        onChange: (found) => this.#takeRecord(role, shown, found.get(name) ?? null),
        quietMs: () => this.#leaderQuietMs(role),
      });
    }
  }

  get snapshot(): DiscoverySnapshot {
    return this.#publisher.snapshot;
  }

  get status(): SourceStatus {
    return this.#parts.status;
  }

  get watchStats(): KubernetesDiscovery['watchStats'] {
    return {
      restarts: this.#watches.reduce((sum, { restarts }) => sum + restarts, 0),
      watches: this.#watches.length,
    };
  }

  get pods(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
  }

  async close(): Promise<void> {
    this.#parts.close();
    for (const timer of this.#expiries.values()) clearTimeout(timer);
    this.#expiries.clear();
    await Promise.all(this.#watches.map((watch) => watch.stop()));
  }

  #follow<T>(name: string, options: PartOptions<T>): void {
    const { maxDelayMs = 5_000, requestMs = 5_000, random = Math.random, errors } = this.#options;
    const part = this.#parts.add(`${name}: the API server`);
    const watch = createListWatch<T>({
      ...options,
      api: this.#api,
      onHeard: () => {
        this.#parts.heard(part);
        this.#publisher.publishSoon();
      },
      onAway: (why) => this.#parts.away(part, why),
      // Others may not have asked while the server was away, and so not know that they have to list.
      onOutage: (since) => {
        for (const other of this.#watches) if (other !== watch) other.listNext(since);
      },
      onFault: (fault) => this.emit('fault', `${part.name} ${fault}`),
      errors,
      random,
      maxDelayMs,
      requestMs,
    });
    this.#watches.push(watch);
  }

  #longestLeaseMs(): number {
    return Math.max(...MASTER_ROLES.map((role) => this.#leases[role].leaseMs ?? DEFAULT_LEASE_MS));
  }

  #content(): Content {
    if (this.#podsChanged) this.#admitPods();
    return {
      latches: { coordinator: this.#latchOf('coordinator'), overlord: this.#latchOf('overlord') },
      announcements: this.#announcements,
      readAt: this.#parts.readAt,
    };
  }

  #admitPods(): void {
    this.#podsChanged = false;
    const faults = new Set<string>();
    for (const role of ROLES) {
      this.#announcements[role] = admit(this.#announcedBy(role), {
        refusal: (node) => refusalOf(node, this.#refusal),
        present: this.#announcements[role],
        list: `the ${role} pods`,
        onFault: (fault) => void faults.add(fault),
      });
    }
    this.#faults.found('pods', faults);
  }

  *#announcedBy(role: Role): Generator<readonly [name: string, parsed: ParsedAnnouncement]> {
    for (const { name, ready, address, announced } of this.#pods.values()) {
      const parsed = announced[role];
      if (!ready || parsed === undefined) continue;
      yield [`pod ${name}`, this.#options.address === 'podIP' ? reachedAt(parsed, address) : parsed];
    }
  }

  #takeRecord(role: MasterRole, name: string, read: ParsedRecord | null): void {
    const now = this.#clock();
    const isAnother = this.#leases[role].observe(read, now);
    if (isAnother) {
      // The old election is over, although the new one may have the same holder and number.
      this.#elections[role] = NOT_READ;
      this.#publisher.publish();
    }
    this.#elections[role] = { name, fault: read?.fault ?? null, holder: this.#leases[role].holder(now) };
    this.#publisher.publishSoon();
    this.#lookAtExpiry(role);
  }

  #latchOf(role: MasterRole): Latch {
    const { name, fault, holder } = this.#elections[role];
    const refused = holder?.origin == null ? null : this.#refused(role, holder.origin);
    const faults = new Set<string>();
    if (fault !== null) faults.add(`${name} ${fault}`);
    if (refused !== null) faults.add(`${name} names a node that ${refused}`);
    this.#faults.found(role, faults);
    return latchOf(holder, () => refused === null);
  }

  /** Why a holder is not used. One whose pod is used is reached at the pod's address, whatever its name is. */
  #refused(role: MasterRole, origin: string): string | null {
    const pod = this.#announcements[role].find((one) => one.origin === origin);
    return pod?.address === undefined ? this.#refusal(origin) : null;
  }

  /** A record that has not changed for the length of its lease is read anew: only that shows that nobody leads. */
  #lookAtExpiry(role: MasterRole): void {
    const pending = this.#expiries.get(role);
    if (pending !== undefined) clearTimeout(pending);
    this.#expiries.delete(role);
    const holds = this.#leases[role].holdsMs(this.#clock());
    if (holds === null || holds === 0 || this.status.state === 'closed') return;
    // The first one is that of the pods.
    const watch = this.#watches[1 + MASTER_ROLES.indexOf(role)];
    this.#expiries.set(
      role,
      // Timers may be a little early.
      setTimeout(() => this.#guarded(() => watch?.refresh()), holds + 5),
    );
  }

  #leaderQuietMs(role: MasterRole): number {
    const leaseMs = this.#leases[role].leaseMs ?? DEFAULT_LEASE_MS;
    return Math.max(SHORTEST_QUIET_MS, Math.min(LEADER_QUIET_MS, leaseMs / 4));
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#errors.report('discovery', error));
  }
}

/** A node that announces an address is reached there, and TLS checks that address. */
function reachedAt(parsed: ParsedAnnouncement, address: string | null): ParsedAnnouncement {
  if (parsed.kind !== 'announcement' || address === null) return parsed;
  const { announcement } = parsed;
  const host = withoutBrackets(new URL(announcement.origin).hostname);
  return isIP(host) === 0 ? { kind: 'announcement', announcement: { ...announcement, address } } : parsed;
}
