import type { ACL, Client, Stat } from 'node-zookeeper-client';
import { ContainedEmitter, contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { ServerAddress } from '../../net/connect-string.ts';
import { createBackoff } from '../../time/backoff.ts';
import type { SourceState, SourceStatus } from '../discovery.ts';
import { type Credentials, openConnection, type ZooKeeperConnection } from './connection.ts';
import type { PreparedTls } from './tls.ts';

export interface SessionOptions {
  readonly servers: readonly ServerAddress[];
  readonly chroot: string | null;
  readonly sessionTimeoutMs: number;
  readonly credentials: Credentials | null;
  readonly tls: PreparedTls | null;
  /** Longest delay between connection attempts, in ms. */
  readonly maxReconnectDelayMs: number;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

export interface SessionEvents {
  status: [SourceStatus];
  /** Connected, for the first time or again. Everything read before may have changed. */
  connected: [];
}

/** Why a read failed: ZooKeeper's code, or one of the session's own. */
export class ReadError extends Error {
  readonly code: number | 'not_connected' | 'timeout';

  constructor(code: ReadError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** What tells whether a node's children are those of an earlier read. */
export interface ChildrenVersion {
  /** The transaction that created the node and its time (`czxid`, `ctime`), in hexadecimal. */
  readonly created: string;
  /** How often a child was created or deleted (`cversion`), as a 32-bit number that overflows. */
  readonly changes: number;
}

/** A node's children as listed. */
export interface Listing {
  readonly names: readonly string[];
  readonly version: ChildrenVersion;
}

/** One entry of an access control list: bits of permissions (`ZooDefs.Perms`), and for whom. */
export interface AccessEntry {
  readonly permissions: number;
  readonly scheme: string;
}

/** Called on every event of a path. Always pass the same function for a path, so the library holds only one. */
export type Watcher = () => void;

const OPERATION_TIMEOUT_MS = 10_000;
const CLOSE_DEADLINE_MS = 500;
/** Delay in ms after refused authentication: a server will not soon know a scheme it did not know. */
const AFTER_REFUSED_AUTH_MS = 10_000;
/** Delay in ms after an error: what threw once will probably throw again. */
const AFTER_ERROR_MS = 1_000;

/**
 * A ZooKeeper session that renews itself. The library's clients are disposable: a new one is made when the session
 * has expired, or must have. Reads fail at once while disconnected.
 */
export class Session extends ContainedEmitter<SessionEvents> {
  readonly #options: SessionOptions;
  readonly #backoff;
  readonly #pending = new Set<(error: ReadError) => void>();
  #connection: ZooKeeperConnection | null = null;
  #status: SourceStatus;
  #lostTimer: NodeJS.Timeout | null = null;
  #renewTimer: NodeJS.Timeout | null = null;
  #connections = 0;

  constructor(options: SessionOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    this.#backoff = createBackoff({
      servers: options.servers.length,
      random: options.random,
      capMs: options.maxReconnectDelayMs,
    });
    this.#status = { state: 'connecting', since: options.now(), detail: null };
  }

  get status(): SourceStatus {
    return this.#status;
  }

  get stats(): { readonly reconnects: number; readonly watches: number } {
    return {
      reconnects: Math.max(0, this.#connections - 1),
      watches: this.#connection?.watches ?? 0,
    };
  }

  /** Session timeout in ms, as the server granted it; null without a connection. */
  get grantedTimeoutMs(): number | null {
    return this.#status.state === 'connected' ? (this.#connection?.sessionTimeoutMs ?? null) : null;
  }

  start(): void {
    this.#open();
  }

  async close(): Promise<void> {
    this.#clearTimers();
    this.#turn('closed', null);
    this.#failPending('the session is closed');
    await this.#connection?.close(CLOSE_DEADLINE_MS);
    this.#connection = null;
  }

  /** Returns the names of the children and watches them. Rejects with `ReadError`. */
  async getChildren(path: string, watcher: Watcher): Promise<readonly string[]> {
    return (await this.listChildren(path, watcher)).names;
  }

  /** The same with the version of the children. */
  listChildren(path: string, watcher: Watcher): Promise<Listing> {
    return this.#read<Listing>((client, done) =>
      client.getChildren(path, watcher, (error, names: (string | undefined)[] | undefined, stat) => {
        if (error) done(error, NOTHING);
        else done(null, { names: (names ?? []).filter(isText), version: versionOf(stat) });
      }),
    );
  }

  /** Returns the version of the node's children; null if there is no such node. Rejects with `ReadError`. */
  async childrenVersion(path: string): Promise<ChildrenVersion | null> {
    const stat = await this.#read<Stat | null>((client, done) => client.exists(path, done));
    return stat === null ? null : versionOf(stat);
  }

  /** Returns the data of a node, empty if it has none. Rejects with `ReadError`. */
  async getData(path: string): Promise<Buffer> {
    const data = await this.#read<Buffer | undefined>((client, done) => client.getData(path, done));
    return data ?? Buffer.alloc(0);
  }

  /** Whether the node exists; watches for its creation or deletion. Rejects with `ReadError`. */
  async exists(path: string, watcher: Watcher): Promise<boolean> {
    const stat = await this.#read<object | null>((client, done) => client.exists(path, watcher, done));
    return stat !== null;
  }

  /** Returns when the node was created, in epoch milliseconds of the server's clock. Rejects with `ReadError`. */
  async createdAt(path: string): Promise<number | null> {
    const stat = await this.#read<Stat | null>((client, done) => client.exists(path, done));
    return stat === null ? null : Number(stat.ctime.readBigInt64BE());
  }

  /** Returns who may do what with the node. Rejects with `ReadError`. */
  async getAcl(path: string): Promise<readonly AccessEntry[]> {
    const list = await this.#read<ACL[] | undefined>((client, done) => client.getACL(path, done));
    // The library calls `permission` what its types call `perms`.
    return (list ?? []).map((entry) => ({
      permissions: (entry as unknown as { readonly permission: number }).permission,
      scheme: entry.id.scheme,
    }));
  }

  #read<T>(call: (client: Client, done: (error: unknown, value: T) => void) => void): Promise<T> {
    const connection = this.#connection;
    if (connection === null || this.#status.state !== 'connected') {
      return Promise.reject(new ReadError('not_connected', 'there is no connection to ZooKeeper'));
    }
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        this.#pending.delete(fail);
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(new ReadError('timeout', 'ZooKeeper did not answer in time'));
        // The server answers pings but not requests. Another server may do better.
        contain(
          () => connection.drop('a request was not answered in time'),
          (error) => this.#onBroken(connection, error),
        );
      }, OPERATION_TIMEOUT_MS);
      this.#pending.add(fail);
      const done = (error: unknown, value: T): void => {
        if (error != null) {
          fail(readError(error));
          return;
        }
        clearTimeout(timer);
        this.#pending.delete(fail);
        resolve(value);
      };
      contain(() => call(connection.client, done), fail);
    });
  }

  #open(): void {
    const { servers, chroot, sessionTimeoutMs, credentials, tls } = this.#options;
    const mine = (act: (connection: ZooKeeperConnection) => void): void => {
      // Ignore an abandoned connection.
      if (this.#connection === connection) act(connection);
    };
    const connection: ZooKeeperConnection = openConnection({
      servers,
      chroot,
      sessionTimeoutMs,
      credentials,
      tls,
      backoff: this.#backoff,
      onConnected: () => mine(() => this.#onConnected()),
      onDisconnected: (detail) => mine((lost) => this.#onDisconnected(lost, detail)),
      onExpired: () => mine(() => this.#renew('the session expired')),
      onAuthenticationFailed: () =>
        mine(() => this.#renew('the server refused the authentication', AFTER_REFUSED_AUTH_MS)),
      onBroken: (error) => this.#onBroken(connection, error),
    });
    this.#connection = connection;
  }

  /** For timers: if opening fails here, nothing else would open the next connection. */
  #openGuarded(): void {
    contain(
      () => this.#open(),
      (error) => this.#onBroken(null, error),
    );
  }

  /** Replaces the connection, unless another one has already taken its place. */
  #onBroken(connection: ZooKeeperConnection | null, error: unknown): void {
    this.#report(error);
    if (this.#connection === connection) this.#renew('an error of the gateway itself', AFTER_ERROR_MS);
  }

  #report(error: unknown): void {
    this.#options.errors.report('discovery', error);
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#report(error));
  }

  #onConnected(): void {
    this.#clearTimers();
    this.#connections++;
    this.#turn('connected', null);
    this.emit('connected');
  }

  #onDisconnected(connection: ZooKeeperConnection, detail: string): void {
    this.#failPending(detail);
    const { state } = this.#status;
    if (state === 'connected') {
      this.#turn('suspended', detail);
      // By then the server has given up the session, and may be unable to say so. Besides, an ensemble restored to
      // an earlier state turns away a client that has seen a later transaction, for ever.
      this.#lostTimer = setTimeout(
        () => this.#renew(`out of touch for a whole session timeout; ${this.#status.detail ?? detail}`),
        connection.sessionTimeoutMs,
      );
      return;
    }
    this.#turn(state, detail);
  }

  /**
   * Never throws: errors are reported. The next connection is scheduled first, because nothing else would open one.
   */
  #renew(detail: string, delayMs = 0): void {
    if (this.#status.state === 'closed') return;
    this.#clearTimers();
    this.#renewTimer = setTimeout(() => this.#openGuarded(), delayMs);
    const connection = this.#connection;
    this.#connection = null;
    this.#guarded(() => this.#failPending(detail));
    this.#guarded(() => connection?.abandon());
    // Before the first connection there was no session to lose.
    this.#guarded(() => this.#turn(this.#connections === 0 ? 'connecting' : 'lost', detail));
  }

  #failPending(detail: string): void {
    for (const fail of this.#pending) fail(new ReadError('not_connected', detail));
  }

  #turn(state: SourceState, detail: string | null): void {
    const before = this.#status;
    if (before.state === 'closed' || (before.state === state && before.detail === detail)) return;
    const since = before.state === state ? before.since : this.#options.now();
    this.#status = { state, since, detail };
    this.emit('status', this.#status);
  }

  #clearTimers(): void {
    if (this.#lostTimer !== null) clearTimeout(this.#lostTimer);
    if (this.#renewTimer !== null) clearTimeout(this.#renewTimer);
    this.#lostTimer = null;
    this.#renewTimer = null;
  }
}

const NOTHING: Listing = { names: [], version: { created: '', changes: 0 } };

function isText(name: string | undefined): name is string {
  return name !== undefined;
}

function versionOf({ czxid, ctime, cversion }: Stat): ChildrenVersion {
  return { created: czxid.toString('hex') + ctime.toString('hex'), changes: cversion };
}

/** The library's exceptions have a code and a readable form, but are not `Error`s to the type checker. */
function readError(error: unknown): ReadError {
  const coded = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return new ReadError(typeof coded === 'number' ? coded : 'not_connected', String(error));
}
