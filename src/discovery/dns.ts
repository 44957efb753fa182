import dns from 'node:dns';
import { ContainedEmitter, contain, type InternalErrors } from '../faults/internal-errors.ts';
import { parseOrigin } from '../net/origin.ts';
import { admit } from './admission.ts';
import { type OriginRefusal, refusalOf } from './allowed-origins.ts';
import type { ParsedAnnouncement } from './announcement.ts';
import {
  type Announcement,
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  ROLES,
  type Role,
  type SourceStatus,
} from './discovery.ts';
import { createLastingFaults } from './lasting-faults.ts';
import { type Part, Parts } from './parts.ts';
import { Publisher } from './publisher.ts';

/** One name with SRV records (RFC 2782): each is the host and the port of a node. */
export interface SrvName {
  readonly role: Role;
  readonly name: string;
  /** `druid.service` of these nodes. */
  readonly service: string;
}

export interface DnsDiscoveryOptions {
  readonly names: readonly SrvName[];
  readonly scheme: 'http' | 'https';
  readonly intervalMs: number;
  /** `ADDRESS[:PORT]` of servers to ask instead of the system's; they then tell the nodes' addresses, too. */
  readonly servers: readonly string[];
  /** Why a node is not used; by default every node may be used. */
  readonly refusal?: OriginRefusal;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** How long one question may take, in ms. Default 2 s. */
  readonly timeoutMs?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Answers that mean that there is nothing of that name: a headless Service without ready pods has none. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA']);
/** Longer than a restart of a DNS server takes. */
const LOST_AFTER_MS = 60_000;
const TRIES = 2;

/** A node by its name, and its address if the servers asked are not the system's. */
interface Target {
  readonly origin: string | null;
  readonly shown: string;
  readonly address?: string;
}

/** One name, and what it last said. */
interface Asked extends SrvName {
  readonly part: Part;
  targets: readonly Target[];
}

/** Discovery of the nodes that SRV records name, asked for again and again. Only probes show who leads. */
export function createDnsDiscovery(options: DnsDiscoveryOptions): Discovery {
  return new DnsDiscovery(options);
}

class DnsDiscovery extends ContainedEmitter<DiscoveryEvents> implements Discovery {
  readonly kind = 'dns';
  readonly #options: DnsDiscoveryOptions;
  readonly #refusal: OriginRefusal;
  readonly #resolver: dns.promises.Resolver;
  readonly #parts: Parts;
  readonly #asked: readonly Asked[];
  readonly #announcements: Record<Role, readonly Announcement[]> = {
    coordinator: [],
    overlord: [],
    broker: [],
  };
  readonly #publisher: Publisher;
  readonly #faults = createLastingFaults((fault) => this.emit('fault', fault));
  #timer: NodeJS.Timeout | null = null;

  constructor(options: DnsDiscoveryOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    const { names, servers, refusal = () => null, timeoutMs = 2_000, now = Date.now, errors } = options;
    this.#refusal = refusal;
    this.#resolver = new dns.promises.Resolver({ timeout: timeoutMs, tries: TRIES });
    if (servers.length > 0) this.#resolver.setServers(servers);
    this.#parts = new Parts({
      onStatus: (status) => this.emit('status', status),
      lostAfterMs: () => LOST_AFTER_MS,
      errors,
      now,
    });
    this.#asked = names.map((name) => ({
      ...name,
      part: this.#parts.add(`name ${name.name}: DNS`),
      targets: [],
    }));
    this.#publisher = new Publisher({
      content: () => ({ latches: null, announcements: this.#announcements, readAt: this.#parts.readAt }),
      onSnapshot: (snapshot) => this.emit('snapshot', snapshot),
      onRead: () => this.emit('read'),
      errors,
    });
  }

  get snapshot(): DiscoverySnapshot {
    return this.#publisher.snapshot;
  }

  get status(): SourceStatus {
    return this.#parts.status;
  }

  start(): void {
    void this.#askAll();
  }

  async close(): Promise<void> {
    this.#parts.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#resolver.cancel();
  }

  get #isClosed(): boolean {
    return this.#parts.status.state === 'closed';
  }

  /** Never rejects. */
  async #askAll(): Promise<void> {
    await Promise.all(this.#asked.map((one) => this.#ask(one)));
    if (this.#isClosed) return;
    contain(
      () => {
        for (const role of ROLES) this.#admit(role);
        this.#publisher.publish();
      },
      (error) => this.#options.errors.report('discovery', error),
    );
    const { intervalMs, random = Math.random } = this.#options;
    // Gateways that were started together must not go on asking together.
    this.#timer = setTimeout(() => void this.#askAll(), intervalMs * (0.9 + random() * 0.2));
  }

  async #ask(one: Asked): Promise<void> {
    try {
      const records = await this.#resolver.resolveSrv(one.name).catch(nothing);
      const targets = await Promise.all(records.map((record) => this.#target(record)));
      if (this.#isClosed) return;
      one.targets = targets;
      this.#parts.heard(one.part);
    } catch (error) {
      if (this.#isClosed) return;
      const code = error instanceof Error && 'code' in error ? String(error.code) : null;
      if (code === null) this.#options.errors.report('discovery', error);
      // What was known of this name stays.
      this.#parts.away(one.part, `cannot be asked (${code ?? 'an error of the gateway itself'})`);
    }
  }

  async #target({ name, port }: dns.SrvRecord): Promise<Target> {
    const shown = `${name}:${port}`;
    const origin = parseOrigin(`${this.#options.scheme}://${shown}`);
    if (this.#options.servers.length === 0) return { origin, shown };
    const addresses = await this.#resolver.resolve4(name).catch(nothing);
    const [address] = addresses.length > 0 ? addresses : await this.#resolver.resolve6(name).catch(nothing);
    return address === undefined ? { origin, shown } : { origin, shown, address };
  }

  #admit(role: Role): void {
    const faults = new Set<string>();
    this.#announcements[role] = admit(this.#announcedBy(role), {
      refusal: (node) => refusalOf(node, this.#refusal),
      present: this.#announcements[role],
      list: `the ${role}s of DNS`,
      onFault: (fault) => void faults.add(fault),
    });
    this.#faults.found(role, faults);
  }

  *#announcedBy(role: Role): Generator<readonly [name: string, parsed: ParsedAnnouncement]> {
    for (const asked of this.#asked) {
      if (asked.role !== role) continue;
      for (const target of asked.targets) yield [`name ${asked.name}`, announced(asked, target)];
    }
  }
}

function announced({ role, service }: SrvName, { origin, shown, address }: Target): ParsedAnnouncement {
  if (origin === null) return { kind: 'fault', reason: `names ${JSON.stringify(shown)}, which is no node` };
  return {
    kind: 'announcement',
    announcement: {
      role,
      hostAndPort: origin.slice(origin.indexOf('//') + 2),
      origin,
      service,
      version: null,
      ...(address === undefined ? {} : { address }),
    },
  };
}

/** An empty list in place of an error that means that there is nothing. */
function nothing(error: unknown): never[] {
  if (error instanceof Error && 'code' in error && NOTHING.has(String(error.code))) return [];
  throw error;
}
