/**
 * One Druid process as an upstream. The object outlives views: counters go on when a node leaves discovery with
 * requests under way and comes back.
 */
export interface UpstreamNode {
  /** `http://host:port` or `https://host:port`, no trailing slash. */
  readonly origin: string;
  readonly hostAndPort: string;
  /** Requests sent and not yet answered to the end. The exchange counts up and down; the balancer reads. */
  outstanding: number;
  /** How much of its usual part of new queries a Broker gets: 0 < share <= 1, below 1 while it warms up. */
  share: number;
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
