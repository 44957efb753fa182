/** Headers that name the client a proxy forwards for. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded';

/** Which proxies are trusted to name the client. */
export interface ForwardingPolicy {
  /** Whether the hop at `address` is a trusted proxy. `hop` is its distance from the peer; the peer's is 0. */
  readonly trusts: (address: string, hop: number) => boolean;
  /** The header that our proxies write. */
  readonly forwardedHeader: ForwardedHeader;
}

/** The client of a request, and the scheme and host that it used. */
export interface ClientOrigin {
  /** The client's address; for limits, fair turns, redirects and logs. */
  readonly address: string;
  /** The client and all hops after it, the peer last, as a list for `X-Forwarded-For`. */
  readonly path: string;
  readonly proto: string;
  /** The host by which the client called the gateway; empty if it named none. */
  readonly host: string;
  /** Whether the peer's other `X-Forwarded-*` headers are trusted. */
  readonly trusted: boolean;
}
