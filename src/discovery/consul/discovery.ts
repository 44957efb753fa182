import { ContainedEmitter, type InternalErrors } from '../../faults/internal-errors.ts';
import { admit } from '../admission.ts';
import type { OriginRefusal } from '../allowed-origins.ts';
import { type ParsedAnnouncement, parseAnnouncement } from '../announcement.ts';
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
import { type BlockingQuery, type BlockingQueryOptions, createBlockingQuery } from './blocking-query.ts';
import { keyPath, type LeaderKey, parseLeaderKey, parseServices, type ServiceEntry } from './entries.ts';
import { createNodeValues, type NodeValues } from './node-values.ts';

export interface ConsulDiscoveryOptions extends ApiTarget {
  /** `druid.discovery.consul.service.servicePrefix`. */
  readonly servicePrefix: string;
  /** `druid.discovery.consul.service.datacenter`; by default that of the agent. */
  readonly datacenter?: string;
  /** The keys of both elections (`druid.discovery.consul.leader.*LeaderLockPath`). */
  readonly leaderKeys: Readonly<Record<MasterRole, string>>;
  /** Why a node is not used; by default every node may be used. */
  readonly refusal?: OriginRefusal;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Longest delay between attempts, in ms. Default 5 s. */
  readonly maxDelayMs?: number;
  /** How long Consul may take to an answer that it does not hold, in ms. Default 5 s. */
  readonly requestMs?: number;
  /** How long Consul holds an answer without a change, in seconds. Default 15, so that a dead link is noticed soon. */
  readonly waitS?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Discovery with figures of its queries, beyond the contract of every discovery. */
export interface ConsulDiscovery extends Discovery {
  readonly watchStats: { readonly restarts: number };
}

/** A session lives for twice its time (45 s by default) after its holder has died: then Consul gives the key to another. */
const LOST_AFTER_MS = 90_000;
/** Otherwise Consul says that there is nothing. */
const KEPT_BACK = 'has nodes that the token may not read (it needs service_prefix and node_prefix read)';
const NOT_READ: LeaderKey = { latch: { participants: [] }, fault: null };

/**
 * Discovers Druid's nodes in Consul as `consul-extensions` registers them (Druid 37): services that pass their checks,
 * with the announcement in their metadata or in a key, and the keys of both elections. The state is `connected` while
 * all queries are answered.
 */
export function createConsulDiscovery(options: ConsulDiscoveryOptions): ConsulDiscovery {
  return new ServiceDiscovery(options);
}

class ServiceDiscovery extends ContainedEmitter<DiscoveryEvents> implements ConsulDiscovery {
  readonly kind = 'consul';
  readonly #options: ConsulDiscoveryOptions;
  readonly #refusal: OriginRefusal;
  readonly #api;
  readonly #parts: Parts;
  readonly #queries: BlockingQuery[] = [];
  readonly #values: NodeValues;
  readonly #services: Record<Role, readonly ServiceEntry[]> = { coordinator: [], overlord: [], broker: [] };
  /** Roles of which the token may not read all nodes. */
  readonly #keptBack = new Set<Role>();
  /** Roles whose nodes have changed since announcements were last made of them. */
  readonly #changed = new Set<Role>();
  readonly #keys: Record<MasterRole, LeaderKey> = { coordinator: NOT_READ, overlord: NOT_READ };
  readonly #announcements: Record<Role, readonly Announcement[]> = {
    coordinator: [],
    overlord: [],
    broker: [],
  };
  readonly #publisher: Publisher;
  readonly #faults = createLastingFaults((fault) => this.emit('fault', fault));

  constructor(options: ConsulDiscoveryOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    this.#refusal = options.refusal ?? (() => null);
    this.#api = createHttpApi(options);
    this.#parts = new Parts({
      onStatus: (status) => this.emit('status', status),
      lostAfterMs: () => LOST_AFTER_MS,
      errors: options.errors,
      now: options.now ?? Date.now,
    });
    this.#publisher = new Publisher({
      content: () => this.#content(),
      onSnapshot: (snapshot) => this.emit('snapshot', snapshot),
      onRead: () => this.emit('read'),
      errors: options.errors,
    });
    const { servicePrefix, leaderKeys, requestMs = 5_000, errors } = options;
    this.#values = createNodeValues({
      api: this.#api,
      query: this.#datacenter(),
      requestMs,
      errors,
      onRead: (role) => this.#nodesChanged(role),
    });
    for (const role of ROLES) this.#followServices(role, `${servicePrefix}-${role}`);
    for (const role of MASTER_ROLES) this.#followKey(role, leaderKeys[role]);
  }

  get snapshot(): DiscoverySnapshot {
    return this.#publisher.snapshot;
  }

  get status(): SourceStatus {
    return this.#parts.status;
  }

  get watchStats(): ConsulDiscovery['watchStats'] {
    return { restarts: this.#queries.reduce((sum, { restarts }) => sum + restarts, 0) };
  }

  start(): void {
    for (const query of this.#queries) query.start();
    this.#values.start();
  }

  async close(): Promise<void> {
    this.#parts.close();
    await Promise.all([...this.#queries.map((query) => query.stop()), this.#values.stop()]);
  }

  #datacenter(): Readonly<Record<string, string>> {
    const { datacenter } = this.#options;
    return datacenter === undefined ? {} : { dc: datacenter };
  }

  #followServices(role: Role, name: string): void {
    const part = this.#parts.add(`service ${name}: Consul`);
    let valid = true;
    this.#follow({
      path: `/v1/health/service/${encodeURIComponent(name)}`,
      query: { passing: 'true', ...this.#datacenter() },
      onAnswer: (body, isPart) => {
        const services = parseServices(body, `${this.#options.servicePrefix}/nodes/`);
        valid = services !== null;
        if (services === null) {
          this.#parts.away(part, 'answered with something other than a list');
          return;
        }
        this.#services[role] = services;
        if (isPart) this.#keptBack.add(role);
        else this.#keptBack.delete(role);
        this.#values.want(
          role,
          services.flatMap(({ node }) => (node !== null && 'key' in node ? [node.key] : [])),
        );
        this.#nodesChanged(role);
      },
      onHeard: () => {
        // Without the keys of its nodes a role is not read whole; they are asked for once, and again where missing.
        if (valid) this.#values.whenAsked(role, () => this.#heard(part));
      },
      onAway: (why) => this.#parts.away(part, why),
    });
  }

  #followKey(role: MasterRole, key: string): void {
    const part = this.#parts.add(`key ${key}: Consul`);
    this.#follow({
      path: keyPath(key),
      query: this.#datacenter(),
      onAnswer: (body) => {
        this.#keys[role] = parseLeaderKey(body);
        this.#publisher.publishSoon();
      },
      onHeard: () => this.#heard(part),
      onAway: (why) => this.#parts.away(part, why),
    });
  }

  #follow(query: Pick<BlockingQueryOptions, 'path' | 'query' | 'onAnswer' | 'onHeard' | 'onAway'>): void {
    const { maxDelayMs = 5_000, requestMs = 5_000, waitS = 15, random = Math.random, errors } = this.#options;
    this.#queries.push(
      createBlockingQuery({ ...query, api: this.#api, errors, random, maxDelayMs, requestMs, waitS }),
    );
  }

  #heard(part: Parameters<Parts['heard']>[0]): void {
    this.#parts.heard(part);
    this.#publisher.publishSoon();
  }

  #nodesChanged(role: Role): void {
    this.#changed.add(role);
    this.#publisher.publishSoon();
  }

  #content(): Content {
    for (const role of this.#changed) this.#admit(role);
    this.#changed.clear();
    return {
      latches: { coordinator: this.#latchOf('coordinator'), overlord: this.#latchOf('overlord') },
      announcements: this.#announcements,
      readAt: this.#parts.readAt,
    };
  }

  #admit(role: Role): void {
    const faults = new Set<string>();
    const service = `service ${this.#options.servicePrefix}-${role}`;
    if (this.#keptBack.has(role)) faults.add(`${service} ${KEPT_BACK}`);
    this.#announcements[role] = admit(this.#announcedBy(role), {
      refusal: ({ origin }) => this.#refusal(origin),
      present: this.#announcements[role],
      list: service,
      onFault: (fault) => void faults.add(fault),
    });
    this.#faults.found(role, faults);
  }

  *#announcedBy(role: Role): Generator<readonly [name: string, parsed: ParsedAnnouncement]> {
    for (const { id, node } of this.#services[role]) {
      if (node === null) {
        yield [`service ${id}`, { kind: 'fault', reason: 'has no announcement' }];
        continue;
      }
      const json = 'json' in node ? node.json : this.#values.get(node.key);
      // A node removes its key a moment before its service.
      if (json === null) continue;
      yield [`service ${id}`, parseAnnouncement(role, Buffer.from(json))];
    }
  }

  #latchOf(role: MasterRole): Latch {
    const { latch, fault } = this.#keys[role];
    const key = this.#options.leaderKeys[role];
    const faults = new Set<string>();
    if (fault !== null) faults.add(`key ${key} ${fault}`);
    const participants = latch.participants.map(({ sequence, origin }) => {
      const why = origin === null ? null : this.#refusal(origin);
      if (why !== null) faults.add(`key ${key} names a node that ${why}`);
      return { sequence, origin: why === null ? origin : null };
    });
    this.#faults.found(`leader ${role}`, faults);
    return { participants };
  }
}
