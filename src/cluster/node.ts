/**
 * One Druid process as an upstream. The object outlives views: counters go on when a node leaves discovery with
 * requests under way and comes back.
 */
export class UpstreamNode {
  /** `http://host:port` or `https://host:port`, no trailing slash. */
  readonly origin: string;
  readonly hostAndPort: string;
  #outstanding = 0;
  #share = 1;

  constructor(origin: string) {
    this.origin = origin;
    this.hostAndPort = origin.slice(origin.indexOf('//') + 2);
  }

  /** Requests sent and not yet answered to the end; the balancer goes by it. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** How much of its usual part of new queries a Broker gets: 0 < share <= 1, below 1 while it warms up. */
  get share(): number {
    return this.#share;
  }

  /** A request is sent to it; whoever says so says `end` once. */
  begin(): void {
    this.#outstanding++;
  }

  /** A request is over, however it ended. Throws where none is under way: somebody has ended one twice. */
  end(): void {
    if (this.#outstanding === 0) throw new Error(`a request at ${this.hostAndPort} ended that had not begun`);
    this.#outstanding--;
  }

  /** Takes over what other processes have under way at it: they count, and nobody says `begin` or `end` here. */
  recount(outstanding: number): void {
    this.#outstanding = Math.max(0, outstanding);
  }

  /** Gets this share of new queries from now on. Throws a `RangeError` unless 0 < share <= 1. */
  takeShare(share: number): void {
    if (!(share > 0 && share <= 1)) throw new RangeError(`${share} is no share of ${this.hostAndPort}`);
    this.#share = share;
  }
}

/**
 * What the exchange learned about a node from a real request.
 *
 * - `ok`: it answered something that a serving node answers (4xx and Druid's own 5xx included).
 * - `connect_failed`: no connection could be made; nothing was sent.
 * - `reset`: the connection ended before the answer did.
 * - `not_leader`: it answered a request for the leader with a redirect.
 * - `unavailable`: it answered 502, 503 or 504 without a Druid error body.
 */
export type NodeOutcome = 'ok' | 'connect_failed' | 'reset' | 'not_leader' | 'unavailable';

/** What is trusted and shown when nodes speak TLS: PEM texts. */
export interface NodeTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
}
