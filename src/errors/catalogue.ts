/**
 * Druid's error category and persona (`org.apache.druid.error.DruidException`) for each status that the gateway
 * sends.
 */
export const CATEGORIES = {
  400: { category: 'INVALID_INPUT', persona: 'USER' },
  401: { category: 'UNAUTHORIZED', persona: 'USER' },
  403: { category: 'FORBIDDEN', persona: 'USER' },
  404: { category: 'NOT_FOUND', persona: 'USER' },
  405: { category: 'INVALID_INPUT', persona: 'USER' },
  408: { category: 'RUNTIME_FAILURE', persona: 'OPERATOR' },
  417: { category: 'RUNTIME_FAILURE', persona: 'OPERATOR' },
  413: { category: 'INVALID_INPUT', persona: 'USER' },
  421: { category: 'INVALID_INPUT', persona: 'USER' },
  429: { category: 'CAPACITY_EXCEEDED', persona: 'OPERATOR' },
  431: { category: 'RUNTIME_FAILURE', persona: 'OPERATOR' },
  500: { category: 'DEFENSIVE', persona: 'DEVELOPER' },
  502: { category: 'RUNTIME_FAILURE', persona: 'OPERATOR' },
  503: { category: 'SERVICE_UNAVAILABLE', persona: 'OPERATOR' },
  504: { category: 'TIMEOUT', persona: 'OPERATOR' },
} as const;

export type ErrorStatus = keyof typeof CATEGORIES;

/**
 * When a client can send the same request again: a number of seconds (sent as `Retry-After`); `now`; `if_repeatable`,
 * if executing it twice does no harm (Druid may have executed it); or `no`, not until something changes.
 */
export type Retry = number | 'now' | 'if_repeatable' | 'no';

interface Reason {
  readonly status: ErrorStatus;
  /** One sentence for people, without internal addresses; absent if it depends on the request. */
  readonly message?: string;
  readonly retry: Retry;
  /** What the code means, in Markdown, for docs/operations.md. */
  readonly meaning: string;
  /** What to do about it, in Markdown, for docs/operations.md. */
  readonly action: string;
}

/** Every error answer of the gateway's own. The codes are public; `npm run docs:generate` writes their table. */
export const REASONS = {
  no_leader: {
    status: 503,
    message: 'No leader of this role is elected at the moment; try again.',
    retry: 1,
    meaning: 'nobody was elected for this role within the wait',
    action: 'look whether its masters run and reach ZooKeeper',
  },
  leader_initialising: {
    status: 503,
    message: 'The leader of this role is elected but not ready yet; try again.',
    retry: 1,
    meaning: 'the elected node did not begin to serve within the wait',
    action: 'look at the log of the elected node; raise `parking.maxWait` if it starts slowly',
  },
  leader_overloaded: {
    status: 503,
    message: 'The leader of this role has more requests than it takes at once; try again.',
    retry: 1,
    meaning:
      "the leader says that it leads, and answered 502, 503 or 504 without an error of Druid's for as long as the request may wait, or until the retry budget was spent",
    action:
      'find who asks it so much; raise what it takes at once ([Overloaded leaders](operations.md#overloaded-leaders)); see `retries`',
  },
  leader_unreachable: {
    status: 503,
    message: 'The leader of this role cannot be reached at the moment; try again.',
    retry: 1,
    meaning: 'the leader could not be connected to within the wait',
    action: 'look at the leader, and at the network between it and the gateway',
  },
  leader_moved: {
    status: 503,
    message: 'Leadership of this role is moving and the request was not processed; try again.',
    retry: 1,
    meaning: 'leadership moved while the request was under way; it was not processed',
    action: 'nothing, unless it goes on: then look why leadership does not settle',
  },
  discovery_stale: {
    status: 503,
    message:
      'The gateway is out of touch with its source of discovery and knows no leader that confirms itself; try again.',
    retry: 5,
    meaning: 'ZooKeeper, the Kubernetes API or Consul is out of reach and no master confirms that it leads',
    action: 'bring it back, or the way to it',
  },
  discovery_incomplete: {
    status: 503,
    message: 'The gateway has not learned the cluster yet; try again.',
    retry: 5,
    meaning: 'the gateway has just started and does not know the cluster yet',
    action:
      'if it lasts, look whether it reaches ZooKeeper, the Kubernetes API or Consul; send requests only to a gateway that is ready',
  },
  no_ready_broker: {
    status: 503,
    message: 'No Broker is ready at the moment; try again.',
    retry: 1,
    meaning: 'no Broker was ready within the wait',
    action: 'see in `/status` why each Broker gets no queries',
  },
  broker_unavailable: {
    status: 503,
    message: 'The Broker is not available at the moment; try again.',
    retry: 1,
    meaning: "the Broker answered 502, 503 or 504 without an error of Druid's",
    action: 'look at the Broker, and at what stands between it and the gateway',
  },
  parking_full: {
    status: 503,
    message: 'Too many requests already wait for a leader or a Broker; try again.',
    retry: 1,
    meaning: '`parking.maxRequests` requests wait already, or they keep `parking.maxBytes`',
    action: 'see why there is no leader or Broker; raise these limits if there is memory for it',
  },
  overloaded: {
    status: 503,
    message: 'The gateway or the cluster behind it has more requests under way than it may; try again.',
    retry: 1,
    meaning:
      'a limit of requests under way was reached, and the queue or the time to wait in it, too; or `queries.maxCancels` cancels are under way; or bodies keep `limits.bodyMemory`; or the event loop is late',
    action: 'find who sends so much; raise `limits` or `workers`, or add Brokers',
  },
  too_many_requests: {
    status: 429,
    message:
      'This client already has as many requests under way as it may; try again when one of them has ended.',
    retry: 1,
    meaning:
      'this client has `limits.concurrency.perClient` requests under way, or a quarter of `queries.maxCancels` cancels',
    action: 'have the client send fewer at once, or raise the limit',
  },
  upstream_reset: {
    status: 502,
    message: 'The connection to Druid ended before it had answered.',
    retry: 'if_repeatable',
    meaning:
      'the connection to Druid ended before an answer; the message says whether the request may have been executed',
    action: 'look why the node (in the access log) closed it',
  },
  upstream_malformed: {
    status: 502,
    message: 'The answer to the request is no valid HTTP or its headers are too large.',
    retry: 'if_repeatable',
    meaning: 'what came back is no valid HTTP, or not what Druid answers there',
    action: 'look at the node; raise `upstream.maxHeaderSize` if its heads are that large',
  },
  redirect_unknown: {
    status: 502,
    message: 'Druid redirected the request to a place that the gateway does not know.',
    retry: 'no',
    meaning:
      'a master redirected by 307 to what is no node of the cluster, or otherwise to an address instead of a name; a login at a place with a name is handed on',
    action: 'see that nodes announce the addresses that they redirect to',
  },
  cancel_unknown: {
    status: 504,
    retry: 'now',
    meaning: 'a Broker did not say within five seconds whether it runs the query that is to be cancelled',
    action: 'cancel again; look at the Brokers that do not answer',
  },
  upstream_timeout: {
    status: 504,
    message: 'Druid did not answer in time.',
    retry: 'if_repeatable',
    meaning: "no answer within the query's own timeout, or the limits of `upstream`",
    action: 'make the query smaller, or give it or its class (`upstream.byClass`) more time',
  },
  request_malformed: {
    status: 400,
    message: 'The request is not valid HTTP/1.1.',
    retry: 'no',
    meaning:
      'the request is no valid HTTP/1.1, or has two framings or hosts, or a `Host` that is none; its connection is closed',
    action: 'mend the client, or the proxy before the gateway',
  },
  target_malformed: {
    status: 400,
    message: 'The target of the request is not valid.',
    retry: 'no',
    meaning:
      'the path has dot segments, backslashes, parameters or the like, or encoded separators outside of names, or no id of a query that is to be cancelled',
    action: 'mend the path as the message says',
  },
  proxy_destination_unknown: {
    status: 400,
    message: 'The only destinations below /proxy are /proxy/coordinator and /proxy/overlord.',
    retry: 'no',
    meaning: 'a path below `/proxy` other than `/proxy/coordinator` and `/proxy/overlord`',
    action: 'use one of these two',
  },
  path_denied: {
    status: 404,
    message: "This path belongs to Druid's internal traffic and is not served here.",
    retry: 'no',
    meaning: "a path of Druid's internal traffic; `routes.allow` can open it",
    action: 'ask the node itself, or open the path',
  },
  path_unknown: {
    status: 404,
    message: 'No Druid API that is served here has this path.',
    retry: 'no',
    meaning: 'no API that is served here',
    action: 'see [Routing](routing.md) for what is',
  },
  path_outside_base: {
    status: 404,
    message: 'The path does not begin with the base path of this gateway.',
    retry: 'no',
    meaning: 'a path outside `listen.basePath`',
    action:
      'ask below the base path; if a proxy in front takes it away, have it pass paths on as they are ([On a sub-path](deployment.md#on-a-sub-path))',
  },
  method_not_allowed: {
    status: 405,
    retry: 'no',
    meaning: 'the method is not for this path, or not known here',
    action: 'see the header `Allow`',
  },
  request_timeout: {
    status: 408,
    message: 'The request did not arrive in time.',
    retry: 'now',
    meaning:
      'the request did not arrive within `limits.headersTimeout` or `limits.requestTimeout`, or its body more slowly than `limits.bodyIdleTimeout` and `limits.minBodyRate` allow',
    action: 'raise these limits for clients that upload slowly',
  },
  expectation_failed: {
    status: 417,
    message: 'The only expectation that can be met is 100-continue.',
    retry: 'no',
    meaning: 'an `Expect` other than `100-continue`',
    action: 'send the request without it',
  },
  headers_too_large: {
    status: 431,
    message: 'The headers of the request are too large.',
    retry: 'no',
    meaning: "the request's head is beyond `limits.maxHeaderSize` or `limits.maxHeaders`",
    action: 'send less (often it is cookies), or raise the limit',
  },
  body_too_large: {
    status: 413,
    message: 'A request for a page of the console cannot have a body of this size.',
    retry: 'no',
    meaning: 'a request for a page of the console with a body above 64 KiB',
    action: 'send it without a body',
  },
  host_not_allowed: {
    status: 421,
    message:
      'The admin listener is not called by this host name; use its address, or add the name to admin.allowedHosts.',
    retry: 'no',
    meaning:
      'a `Host` that the admin listener is not called by: perhaps a page in a browser has its own name lead here',
    action: 'call it by its address, or add the name to `admin.allowedHosts`',
  },
  cross_site: {
    status: 403,
    message:
      'A page of another site sent this request; the admin listener answers operators and its own page.',
    retry: 'no',
    meaning:
      'a page of another site asks for what could change something, and `cors` does not allow it; or it asked the admin listener',
    action: 'allow the origin in `cors.origins`; the admin listener answers curl, scripts and its own page',
  },
  token_required: {
    status: 401,
    message: 'Actions need the token of admin.tokenFile, as Authorization: Bearer TOKEN.',
    retry: 'no',
    meaning: 'an action on the admin listener without its token',
    action: 'send the token of `admin.tokenFile`',
  },
  internal_error: {
    status: 500,
    message:
      'The gateway failed while it worked on this request; its log has the cause under the id of the request.',
    retry: 'if_repeatable',
    meaning: "a [fault of the gateway's own](#when-something-of-ours-breaks), which ended this request alone",
    action: 'report it with the stack in the log',
  },
} as const satisfies Readonly<Record<string, Reason>>;

export type ReasonCode = keyof typeof REASONS;

/** Codes with a message in the catalogue, which a producer may replace. */
export type PlainReason = {
  [C in ReasonCode]: (typeof REASONS)[C] extends { readonly message: string } ? C : never;
}[ReasonCode];

/** A subset of the codes. A code that is not in the catalogue fails to compile; `Extract` would drop it silently. */
export type ReasonsOf<C extends ReasonCode> = C;

/** Returns the catalogue entry of a code. */
export function reasonOf(code: ReasonCode): Reason {
  return REASONS[code];
}
