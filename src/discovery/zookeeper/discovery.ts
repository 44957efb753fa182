import { ContainedEmitter, contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { parseConnectString } from '../../net/connect-string.ts';
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
import { Publisher } from '../publisher.ts';
import type { Credentials } from './connection.ts';
import { LONGEST_DATA, MOST_PARTICIPANTS, parseLatch } from './latch.ts';
import { Session } from './session.ts';
import { prepareTls, type ZooKeeperTls } from './tls.ts';
import { type ChildData, createWatch, pause, type Watch } from './watch.ts';

export interface ZooKeeperDiscoveryOptions {
  /** `host:port[,host:port...][/chroot]`, as in `druid.zk.service.host`. */
  readonly connect: string;
  readonly sessionTimeoutMs: number;
  /** `druid.zk.paths.base` with its leading slash. */
  readonly basePath: string;
  /** `druid.zk.paths.coordinatorPath`; below the base path by default. */
  readonly coordinatorPath: string;
  readonly auth?: Credentials;
  readonly tls?: ZooKeeperTls;
  /** Why a node that ZooKeeper names is not used; by default every node may be used. */
  readonly refusal?: OriginRefusal;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Longest delay between connection attempts, in ms. Default: 2 s, or a sixth of the session if less. */
  readonly maxReconnectDelayMs?: number;
  /** Milliseconds from an event to the read, for a path with so many children; by default as `pause` says. */
  readonly pauseMs?: (children: number) => number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Discovery with session figures, beyond the contract of every discovery. */
export interface ZooKeeperDiscovery extends Discovery {
  readonly sessionStats: { readonly reconnects: number; readonly watches: number };
}

/** Interval, in ms, for looking at everything again in case a watch event was lost. */
const POLL_MS = 45_000;
/** `NodeRole.toString()`: the folder's name differs from the name in the JSON. */
const FOLDERS: Readonly<Record<Role, string>> = {
  coordinator: 'COORDINATOR',
  overlord: 'OVERLORD',
  broker: 'BROKER',
};
const NO_LATCH: Latch = { participants: [] };
const TOO_LONG = Buffer.alloc(LONGEST_DATA + 1);

/**
 * Discovers Druid's nodes in ZooKeeper: both leader latches (`CuratorDruidLeaderSelector`) and the announcements of
 * three roles (`CuratorDruidNodeAnnouncer`). Throws if the connect string or the TLS material is unusable.
 */
export function createZooKeeperDiscovery(options: ZooKeeperDiscoveryOptions): ZooKeeperDiscovery {
  return new CuratorDiscovery(options);
}

/** A watched path and when it was last read. */
interface Part {
  readonly watch: Watch;
  /** Epoch milliseconds; 0 before the first read. */
  readAt: number;
}

class CuratorDiscovery extends ContainedEmitter<DiscoveryEvents> implements ZooKeeperDiscovery {
  readonly kind = 'zookeeper';
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #pauseMs: (children: number) => number;
  readonly #session: Session;
  readonly #parts: Part[] = [];
  readonly #latches: Record<MasterRole, Latch> = { coordinator: NO_LATCH, overlord: NO_LATCH };
  readonly #errors: InternalErrors;
  readonly #refusal: OriginRefusal;
  readonly #announcements: Record<Role, readonly Announcement[]> = {
    coordinator: [],
    overlord: [],
    broker: [],
  };
  readonly #publisher: Publisher;
  #poll: NodeJS.Timeout | null = null;

  constructor(options: ZooKeeperDiscoveryOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#errors = options.errors;
    this.#refusal = options.refusal ?? (() => null);
    const { connect, sessionTimeoutMs, basePath, coordinatorPath, auth, tls } = options;
    const { servers, chroot } = parseConnectString(connect);
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#pauseMs = options.pauseMs ?? ((children) => pause(children, this.#random));
    this.#session = new Session({
      servers: shuffled(servers, this.#random),
      chroot,
      sessionTimeoutMs,
      credentials: auth ?? null,
      tls: tls === undefined ? null : prepareTls(tls),
      // Short enough for several attempts within one session timeout.
      maxReconnectDelayMs: options.maxReconnectDelayMs ?? Math.min(2_000, sessionTimeoutMs / 6),
      errors: options.errors,
      now: this.#now,
      random: this.#random,
    });
    this.#publisher = new Publisher({
      content: () => ({
        latches: this.#latches,
        announcements: this.#announcements,
        readAt: Math.min(...this.#parts.map(({ readAt }) => readAt)),
      }),
      onSnapshot: (snapshot) => this.emit('snapshot', snapshot),
      onRead: () => this.emit('read'),
      errors: options.errors,
    });
    this.#session.on('status', (status) => this.emit('status', status));
    this.#session.on('connected', () => this.#refresh());
    const base = basePath === '/' ? '' : basePath;
    const latchPaths = {
      coordinator: `${coordinatorPath}/_COORDINATOR`,
      overlord: `${base}/overlord/_OVERLORD`,
    };
    for (const role of MASTER_ROLES) {
      const path = latchPaths[role];
      this.#follow(path, shortened, (children) => {
        this.#latches[role] = this.#readLatch(path, children);
      });
    }
    for (const role of ROLES) {
      const path = `${base}/internal-discovery/${FOLDERS[role]}`;
      const parse = (data: ChildData): ParsedAnnouncement =>
        data === 'refused' ? REFUSED : parseAnnouncement(role, data);
      this.#follow(path, parse, (children) => {
        this.#announcements[role] = this.#admit(role, path, children);
      });
    }
  }

  get snapshot(): DiscoverySnapshot {
    return this.#publisher.snapshot;
  }

  get status(): SourceStatus {
    return this.#session.status;
  }

  get sessionStats(): ZooKeeperDiscovery['sessionStats'] {
    return this.#session.stats;
  }

  start(): void {
    this.#session.start();
    this.#pollLater();
  }

  async close(): Promise<void> {
    if (this.#poll !== null) clearTimeout(this.#poll);
    for (const { watch } of this.#parts) watch.stop();
    await this.#session.close();
  }

  #follow<T>(
    path: string,
    parse: (data: ChildData) => T,
    take: (children: ReadonlyMap<string, T>) => void,
  ): void {
    const watch = createWatch<T>({
      session: this.#session,
      path,
      parse,
      onRead: (children) => {
        take(children);
        part.readAt = this.#now();
        this.#publisher.publishSoon();
      },
      onFault: (fault) => this.emit('fault', fault),
      pauseMs: this.#pauseMs,
      errors: this.#errors,
    });
    const part: Part = { watch, readAt: 0 };
    this.#parts.push(part);
  }

  #readLatch(path: string, children: ReadonlyMap<string, ChildData>): Latch {
    if (children.size > MOST_PARTICIPANTS) {
      this.emit(
        'fault',
        `${path} has ${children.size} children; the first ${MOST_PARTICIPANTS} of them are used`,
      );
    }
    return parseLatch(children, this.#refusal, (name, why) => this.emit('fault', `${path}/${name} ${why}`));
  }

  #admit(role: Role, path: string, children: ReadonlyMap<string, ParsedAnnouncement>): Announcement[] {
    const found = [...children].map(([name, parsed]) => [`${path}/${name}`, parsed] as const);
    return admit(found, {
      refusal: ({ origin }) => this.#refusal(origin),
      present: this.#announcements[role],
      list: path,
      onFault: (fault) => this.emit('fault', fault),
    });
  }

  #refresh(): void {
    for (const { watch } of this.#parts) watch.refresh();
  }

  #pollLater(): void {
    this.#poll = setTimeout(
      () => {
        this.#guarded(() => {
          for (const { watch } of this.#parts) watch.poll();
        });
        this.#pollLater();
      },
      POLL_MS * (0.8 + this.#random() * 0.4),
    );
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#errors.report('discovery', error));
  }
}

const REFUSED: ParsedAnnouncement = { kind: 'fault', reason: 'cannot be read: access is refused' };

/** Drops data too long to be a latch's, so the packet that holds it can be freed. */
function shortened(data: ChildData): ChildData {
  return data === 'refused' || data.length <= LONGEST_DATA ? data : TOO_LONG;
}

/** Gateways must not all connect to the first server. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
