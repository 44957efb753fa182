import { connect as connectTcp, isIP, type Socket } from 'node:net';
import nodeTls from 'node:tls';
import { type Client, createClient, Exception } from 'node-zookeeper-client';
import { contain } from '../../faults/internal-errors.ts';
import { formatServer, type ServerAddress } from '../../net/connect-string.ts';
import type { Backoff } from '../../time/backoff.ts';
import { type ConnectionManager, connectionManagerOf, STATE } from './client-internals.ts';
import { checkAnswer, checkHandshake, PacketReader } from './packet-reader.ts';
import type { PreparedTls } from './tls.ts';

export interface Credentials {
  readonly scheme: string;
  readonly user: string;
  readonly password: string;
}

export interface ConnectionOptions {
  /** Tried in this order, again and again. */
  readonly servers: readonly ServerAddress[];
  readonly chroot: string | null;
  /** Requested session timeout, in ms; the server decides. */
  readonly sessionTimeoutMs: number;
  readonly credentials: Credentials | null;
  readonly tls: PreparedTls | null;
  /** Outlives the connection. */
  readonly backoff: Backoff;
  readonly onConnected: () => void;
  /** Called after `onConnected`, or after a failed attempt, with the reason in one sentence. */
  readonly onDisconnected: (detail: string) => void;
  /** No callback follows this one or the next: the connection is unusable. */
  readonly onExpired: () => void;
  readonly onAuthenticationFailed: () => void;
  /** Our code or the library threw. The connection is unusable, and no callback follows. */
  readonly onBroken: (error: unknown) => void;
}

/** One ZooKeeper session over changing sockets. */
export interface ZooKeeperConnection {
  readonly client: Client;
  /** Session timeout in ms, as the server granted it. */
  readonly sessionTimeoutMs: number;
  /** Paths for which the library holds a watcher. */
  readonly watches: number;
  /** Closes the socket; the library dials again and keeps the session. */
  drop(why: string): void;
  /** Ends the session properly, or by force after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
  /** Ends at once, leaving no socket and no timer. */
  abandon(): void;
}

/**
 * `down`: there is no usable socket. `dialling`: a socket is opening or waits for ZooKeeper's handshake.
 * `authenticating`: the handshake is done, but the server has not accepted the credentials yet. `connected`: reads
 * are answered. `over`: nothing follows.
 */
type ConnectionState = 'down' | 'dialling' | 'authenticating' | 'connected' | 'over';

/** Offset of the xid, after the packet's length. */
const XID_OFFSET = 4;
const AUTH_XID = -4;
/** Requests have xids from 1; events, pings and authentication have negative ones. */
const FIRST_XID = 0;
const MIN_HANDSHAKE_MS = 1_000;
const MAX_HANDSHAKE_MS = 5_000;

/**
 * Opens a guarded node-zookeeper-client. The library has no read timeout, no handshake timeout, no backoff, no TLS
 * and no packet size limit. It throws out of socket handlers, and carries half a packet and queued requests from
 * one socket to the next. The guard fixes all this by replacing methods of the instance before it connects.
 */
export function openConnection(options: ConnectionOptions): ZooKeeperConnection {
  const guarded = new GuardedConnection(options);
  guarded.open();
  return guarded;
}

class GuardedConnection implements ZooKeeperConnection {
  readonly client: Client;
  readonly #options: ConnectionOptions;
  readonly #manager: ConnectionManager;
  readonly #library: Pick<
    ConnectionManager,
    'onSocketConnected' | 'onSocketData' | 'onSocketClosed' | 'onSocketTimeout'
  >;
  #next = 0;
  #timer: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #connectedAt = 0;
  #lastHeard = 0;
  #why: string | null = null;
  #state: ConnectionState = 'down';
  /** Resolves the promise of `close`. */
  #closed: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    // The library cannot parse IPv6 addresses: it gets only the chroot here, and the servers below.
    this.client = createClient(`127.0.0.1:2181${options.chroot ?? ''}`, {
      sessionTimeout: options.sessionTimeoutMs,
    });
    if (options.credentials !== null) {
      const { scheme, user, password } = options.credentials;
      this.client.addAuthInfo(scheme, Buffer.from(`${user}:${password}`));
    }
    const manager = connectionManagerOf(this.client);
    this.#manager = manager;
    this.#library = {
      onSocketConnected: manager.onSocketConnected.bind(manager),
      onSocketData: manager.onSocketData.bind(manager),
      onSocketClosed: manager.onSocketClosed.bind(manager),
      onSocketTimeout: manager.onSocketTimeout.bind(manager),
    };
    manager.servers = options.servers;
    // A throttled server takes xid 0 for a request that is still outstanding.
    manager.xid = 1;
    manager.connect = () => this.#dialLater();
    manager.onSocketConnected = () => this.#onSocketConnected();
    manager.onSocketClosed = (hadError) => this.#onSocketClosed(hadError);
    manager.onSocketTimeout = () => this.#guarded(() => this.#library.onSocketTimeout());
  }

  open(): void {
    this.client.on('connected', () => {
      if (this.#options.credentials === null) this.#onConnected();
      else this.#become('authenticating');
    });
    this.client.on('expired', () => this.#onTerminal(this.#options.onExpired));
    this.client.on('authenticationFailed', () => this.#onTerminal(this.#options.onAuthenticationFailed));
    this.client.connect();
  }

  get sessionTimeoutMs(): number {
    return this.#manager.sessionTimeout;
  }

  get watches(): number {
    const { watcherManager } = this.#manager;
    // A path that was created between two reads has a watch of its own and one of its children.
    return new Set([
      ...watcherManager.getDataWatcherPaths(),
      ...watcherManager.getChildWatcherPaths(),
      ...watcherManager.getExistenceWatcherPaths(),
    ]).size;
  }

  get #over(): boolean {
    return this.#state === 'over';
  }

  drop(why: string): void {
    this.#why ??= why;
    this.#manager.socket?.destroy();
  }

  abandon(): void {
    this.#become('over');
    this.#clearTimers();
    this.#closed?.();
    this.client.removeAllListeners();
    this.#manager.socket?.destroy();
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#over || this.#manager.state !== STATE.CONNECTED) {
      this.abandon();
      return;
    }
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve;
    });
    const deadline = setTimeout(() => this.#guarded(() => this.abandon()), deadlineMs);
    this.client.close();
    await closed;
    clearTimeout(deadline);
    this.abandon();
  }

  #become(next: ConnectionState): void {
    if (this.#state !== 'over') this.#state = next;
  }

  #dialLater(): void {
    if (this.#over) return;
    this.#manager.setState(STATE.CONNECTING);
    this.#timer = setTimeout(() => this.#guarded(() => this.#dial()), this.#options.backoff.delay());
  }

  #dial(): void {
    const { servers, sessionTimeoutMs } = this.#options;
    const server = servers[this.#next % servers.length];
    if (server === undefined) return;
    this.#become('dialling');
    this.#next++;
    this.#why = null;
    this.#connectedAt = 0;
    const name = formatServer(server);
    const patience = Math.min(
      MAX_HANDSHAKE_MS,
      Math.max(MIN_HANDSHAKE_MS, sessionTimeoutMs / servers.length),
    );
    // Covers TCP, TLS and ZooKeeper's handshake together: a frozen server still accepts connections.
    this.#timer = setTimeout(
      () => this.#guarded(() => this.drop(`${name} did not complete the handshake in time`)),
      patience,
    );
    const socket = this.#socket(server);
    this.#manager.socket = socket;
    const reader = new PacketReader();
    socket.setNoDelay();
    socket.on(this.#options.tls === null ? 'connect' : 'secureConnect', () =>
      this.#guarded(() => this.#manager.onSocketConnected()),
    );
    socket.on('data', (chunk: Buffer) => this.#guarded(() => this.#onData(reader, chunk, name)));
    socket.on('drain', () => this.#guarded(() => this.#manager.onSocketDrain()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#why ??= `${name}: ${error.code ?? error.message}`;
    });
    socket.on('close', (hadError) => {
      this.#why ??= `${name} closed the connection`;
      this.#guarded(() => this.#manager.onSocketClosed(hadError));
    });
  }

  /** Wraps every callback from sockets, timers and the session. After an error the connection is abandoned. */
  #guarded(step: () => void): void {
    contain(step, (error) => {
      if (this.#over) return;
      this.abandon();
      this.#options.onBroken(error);
    });
  }

  #socket({ host, port }: ServerAddress): Socket {
    const { tls } = this.#options;
    if (tls === null) return connectTcp({ host, port });
    const { secureContext, rejectUnauthorized, servername } = tls;
    const name = servername ?? (isIP(host) === 0 ? host : undefined);
    return nodeTls.connect({
      host,
      port,
      secureContext,
      rejectUnauthorized,
      ...(name === undefined ? {} : { servername: name }),
    });
  }

  #onSocketConnected(): void {
    const { packetQueue } = this.#manager;
    // Requests queued while disconnected must go after authentication and watches.
    const queued = packetQueue.queue.splice(0);
    this.#library.onSocketConnected();
    packetQueue.queue.push(...queued);
  }

  #onData(reader: PacketReader, chunk: Buffer, name: string): void {
    if (this.#over) return;
    this.#lastHeard = performance.now();
    try {
      for (const packet of reader.push(chunk)) {
        if (this.#over) return;
        this.#check(packet);
        this.#library.onSocketData(packet);
        // Wait for the server's reply before sending: a server that refuses closes at once, and requests on their
        // way would make us lose its refusal.
        if (this.#state === 'authenticating' && packet.readInt32BE(XID_OFFSET) === AUTH_XID)
          this.#onConnected();
      }
    } catch (error) {
      this.drop(
        `${name} sent what cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** Checks lengths before the library trusts them. */
  #check(packet: Buffer): void {
    const { state, pendingQueue } = this.#manager;
    if (state === STATE.CONNECTING) checkHandshake(packet);
    else if (packet.readInt32BE(XID_OFFSET) >= FIRST_XID) {
      checkAnswer(packet, pendingQueue[0]?.request.header?.type);
    }
  }

  #onConnected(): void {
    this.#become('connected');
    this.#clearTimers();
    this.#connectedAt = performance.now();
    // The library pings after a third of the session timeout without traffic. After two thirds without an answer,
    // change servers: the session would soon expire.
    const patience = (this.sessionTimeoutMs * 2) / 3;
    this.#watchdog = setInterval(
      () =>
        this.#guarded(() => {
          if (performance.now() - this.#lastHeard > patience) this.drop('the server fell silent');
        }),
      Math.max(50, this.sessionTimeoutMs / 20),
    );
    this.#guarded(this.#options.onConnected);
  }

  #onSocketClosed(hadError: boolean): void {
    this.#become('down');
    this.#clearTimers();
    const { packetQueue, pendingQueue } = this.#manager;
    // The library fails requests it has sent. Unsent ones would be sent or forgotten with the next connection, so
    // they fail too.
    const unsent = packetQueue.queue.splice(0).filter((packet) => packet.callback !== undefined);
    pendingQueue.push(...unsent);
    const lived = this.#connectedAt === 0 ? 0 : performance.now() - this.#connectedAt;
    this.#options.backoff.ended(lived);
    const why = this.#why ?? 'the connection was closed';
    if (!this.#over) this.#guarded(() => this.#options.onDisconnected(why));
    this.#library.onSocketClosed(hadError);
    this.#closed?.();
  }

  #onTerminal(tell: () => void): void {
    this.#become('down');
    this.#manager.socket?.destroy();
    this.#guarded(tell);
  }

  #clearTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#timer = null;
    this.#watchdog = null;
  }
}

/** Codes of `Exception` that are expected. */
export const CODE = {
  NO_NODE: Exception.NO_NODE,
  NO_AUTH: Exception.NO_AUTH,
} as const;
