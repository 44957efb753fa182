import { ContainedEmitter, type InternalErrors } from '../../internal-errors.ts';
import {
  type Announcement,
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  type Latch,
  MASTER_ROLES,
  type MasterRole,
  ROLES,
  type Role,
  type SourceStatus,
} from '../discovery.ts';
import { parseAnnouncement } from './announcement.ts';
import { parseConnectString } from './connect-string.ts';
import type { Credentials } from './connection.ts';
import { parseLatch } from './latch.ts';
import { Session } from './session.ts';
import { prepareTls, type ZooKeeperTls } from './tls.ts';
import { type ChildData, createWatch, type Watch } from './watch.ts';

export interface ZooKeeperDiscoveryOptions {
  /** `host:port[,host:port...][/chroot]`, as `druid.zk.service.host`. */
  readonly connect: string;
  readonly sessionTimeoutMs: number;
  /** `druid.zk.paths.base` with its leading slash. */
  readonly basePath: string;
  /** `druid.zk.paths.coordinatorPath`; below the base path by default. */
  readonly coordinatorPath: string;
  readonly auth?: Credentials;
  readonly tls?: ZooKeeperTls;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  /** The longest pause between two attempts to connect; 2 s by default, less where the session is short. */
  readonly maxReconnectDelayMs?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** What the session can tell beyond the contract of every discovery. */
export interface ZooKeeperDiscovery extends Discovery {
  readonly sessionStats: { readonly reconnects: number; readonly watches: number };
}

/** Watches are the rule; everything is also read this often, in case an event was lost. */
const POLL_MS = 45_000;
/** `NodeRole.toString()`: the folder's name is not the name in the JSON. */
const FOLDERS: Readonly<Record<Role, string>> = {
  coordinator: 'COORDINATOR',
  overlord: 'OVERLORD',
  broker: 'BROKER',
};
const NO_LATCH: Latch = { participants: [] };

/**
 * Discovery of Druid's nodes in ZooKeeper: both leader latches (`CuratorDruidLeaderSelector`) and the announcements
 * of three roles (`CuratorDruidNodeAnnouncer`). Throws on a connect string or TLS material that cannot be used.
 */
export function createZooKeeperDiscovery(options: ZooKeeperDiscoveryOptions): ZooKeeperDiscovery {
  return new CuratorDiscovery(options);
}

/** One path with what was read below it. */
interface Part {
  readonly watch: Watch;
  /** Epoch milliseconds; 0 before the first read. */
  readAt: number;
}

class CuratorDiscovery extends ContainedEmitter<DiscoveryEvents> implements ZooKeeperDiscovery {
  readonly kind = 'zookeeper';
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #session: Session;
  readonly #parts: Part[] = [];
  readonly #latches: Record<MasterRole, Latch> = { coordinator: NO_LATCH, overlord: NO_LATCH };
  readonly #announcements: Record<Role, readonly Announcement[]> = {
    coordinator: [],
    overlord: [],
    broker: [],
  };
  #snapshot: DiscoverySnapshot = EMPTY_SNAPSHOT;
  /** What the last emitted snapshot was made of, to tell whether anything changed. */
  #content = '';
  #scheduled = false;
  #poll: NodeJS.Timeout | null = null;

  constructor(options: ZooKeeperDiscoveryOptions) {
    super((error) => options.errors.report('discovery', error));
    const { connect, sessionTimeoutMs, basePath, coordinatorPath, auth, tls } = options;
    const { servers, chroot } = parseConnectString(connect);
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#session = new Session({
      servers: shuffled(servers, this.#random),
      chroot,
      sessionTimeoutMs,
      credentials: auth ?? null,
      tls: tls === undefined ? null : prepareTls(tls),
      // A session that is given up after so long is worth several attempts.
      maxReconnectDelayMs: options.maxReconnectDelayMs ?? Math.min(2_000, sessionTimeoutMs / 6),
      errors: options.errors,
      now: this.#now,
      random: this.#random,
    });
    this.#session.on('status', (status) => this.emit('status', status));
    this.#session.on('connected', () => this.#refresh());
    const base = basePath === '/' ? '' : basePath;
    const latchPaths = {
      coordinator: `${coordinatorPath}/_COORDINATOR`,
      overlord: `${base}/overlord/_OVERLORD`,
    };
    for (const role of MASTER_ROLES) {
      this.#follow(latchPaths[role], (children) => {
        this.#latches[role] = parseLatch(children);
      });
    }
    for (const role of ROLES) {
      const path = `${base}/internal-discovery/${FOLDERS[role]}`;
      this.#follow(path, (children) => {
        this.#announcements[role] = this.#parse(role, path, children);
      });
    }
  }

  get snapshot(): DiscoverySnapshot {
    return this.#snapshot;
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

  #follow(path: string, take: (children: ReadonlyMap<string, ChildData>) => void): void {
    const watch = createWatch({
      session: this.#session,
      path,
      onRead: (children) => {
        part.readAt = this.#now();
        take(children);
        this.#publishSoon();
      },
      onFault: (fault) => this.emit('fault', fault),
    });
    const part: Part = { watch, readAt: 0 };
    this.#parts.push(part);
  }

  #parse(role: Role, path: string, children: ReadonlyMap<string, ChildData>): Announcement[] {
    const found: Announcement[] = [];
    for (const [name, data] of children) {
      if (data === 'refused') {
        this.emit('fault', `${path}/${name} cannot be read: access is refused`);
        continue;
      }
      const parsed = parseAnnouncement(role, data);
      if (parsed.kind === 'announcement') found.push(parsed.announcement);
      else if (parsed.kind === 'fault') this.emit('fault', `${path}/${name} ${parsed.reason}`);
    }
    return found.toSorted((a, b) => (a.hostAndPort < b.hostAndPort ? -1 : 1));
  }

  #refresh(): void {
    for (const { watch } of this.#parts) watch.refresh();
  }

  #pollLater(): void {
    this.#poll = setTimeout(
      () => {
        this.#refresh();
        this.#pollLater();
      },
      POLL_MS * (0.8 + this.#random() * 0.4),
    );
  }

  /** One snapshot for all that is read in one turn of the event loop. */
  #publishSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#publish();
    });
  }

  #publish(): void {
    const times = this.#parts.map(({ readAt }) => readAt);
    const readAt = Math.min(...times);
    const complete = readAt > 0;
    const latches = { ...this.#latches };
    const announcements = { ...this.#announcements };
    const content = JSON.stringify([complete, latches, announcements]);
    if (content === this.#content) {
      this.#snapshot = { ...this.#snapshot, readAt };
      return;
    }
    this.#content = content;
    const { version } = this.#snapshot;
    this.#snapshot = { version: version + 1, complete, latches, announcements, readAt };
    this.emit('snapshot', this.#snapshot);
  }
}

/** Gateways must not all go to the first server. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
