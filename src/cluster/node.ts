import { NodeTraffic } from './node-traffic.ts';

/**
 * One Druid process as an upstream. The object outlives views, so its counters stay correct when a node with requests
 * under way leaves discovery and comes back.
 */
export class UpstreamNode {
  /** `http://host:port` or `https://host:port`, no trailing slash. */
  readonly origin: string;
  readonly hostAndPort: string;
  /** Of a Broker, what became of the attempts at it. */
  readonly traffic = new NodeTraffic();
  #outstanding = 0;
  #share = 1;
  #address: string | null = null;

  constructor(origin: string) {
    this.origin = origin;
    this.hostAndPort = origin.slice(origin.indexOf('//') + 2);
  }

  /** Requests sent whose answers are not complete; the balancer compares this number. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** The share of its usual new queries that a Broker gets: 0 < share <= 1, below 1 while it warms up. */
  get share(): number {
    return this.#share;
  }

  /** The IP address to connect to; null if the host of `origin` is to be resolved. TLS checks that host either way. */
  get address(): string | null {
    return this.#address;
  }

  /** Connections that begin from now on go to `address`, an IP address, or to the host of `origin` if it is null. */
  reachAt(address: string | null): void {
    this.#address = address;
  }

  /** A request is sent to the node. The caller must call `end` exactly once. */
  begin(): void {
    this.#outstanding++;
  }

  /**
   * A request is over, however it ended. Throws an `Error` if none is under way, because a caller ended one twice.
   */
  end(): void {
    if (this.#outstanding === 0) throw new Error(`a request at ${this.hostAndPort} ended that had not begun`);
    this.#outstanding--;
  }

  /**
   * Sets the number of requests that other processes have under way at the node. No `begin` or `end` is called for
   * them here.
   */
  recount(outstanding: number): void {
    this.#outstanding = Math.max(0, outstanding);
  }

  /** Sets the node's share of new queries. Throws a `RangeError` unless 0 < share <= 1. */
  takeShare(share: number): void {
    if (!(share > 0 && share <= 1)) throw new RangeError(`${share} is no share of ${this.hostAndPort}`);
    this.#share = share;
  }
}

/**
 * What the exchange learned about a node from a real request.
 *
 * - `ok`: the answer was one that a serving node gives (4xx and Druid's own 5xx included).
 * - `connect_failed`: no connection could be made; nothing was sent.
 * - `reset`: the connection ended before the answer did.
 * - `not_leader`: the node answered a request for the leader with a redirect.
 * - `unavailable`: the node answered 502, 503 or 504 without a Druid error body.
 */
export type NodeOutcome = 'ok' | 'connect_failed' | 'reset' | 'not_leader' | 'unavailable';

/** Returns the IP address of the node at an origin, or null if the host of the origin is to be resolved. */
export type AddressOf = (origin: string) => string | null;

/**
 * TLS settings towards nodes: the trusted CAs, and the gateway's own certificate and key. `ca`, `cert` and `key` are
 * PEM texts. They change when their files do: read them when a connection begins.
 */
export interface NodeTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
}
