/** Some calls (with a `*` at the end, all whose names begin so), and in what they may differ. */
export interface Covered {
  readonly calls: readonly string[];
  /** As `Found.aspect`; `*` is all of them. */
  readonly aspects: readonly string[];
}

/** One thing that the gateway does in another way than the Router, on purpose. */
export interface Difference {
  readonly id: string;
  readonly router: string;
  readonly gateway: string;
  readonly why: string;
  readonly covers: readonly Covered[];
}

const ALL = ['*'];

/** Everything in which the gateway is meant to differ. */
export const DIFFERENCES: readonly Difference[] = [
  {
    id: 'Trailers are kept',
    router: 'drops `X-Druid-Response-Complete` and `X-Error-Message`, and the `Trailer` header.',
    gateway: 'hands them on, as the Broker sent them.',
    why: 'a query that fails after its first row ends as a well-formed 200; the trailer is the only sign of it.',
    covers: [{ calls: ['sql:*', 'native:*', 'wire:*'], aspects: ['trailers'] }],
  },
  {
    id: 'Answers are framed as the node framed them',
    router: 'gives short answers of nodes a `Content-Length`, and sends its own in chunks.',
    gateway: 'sends in chunks what comes in chunks, and its own answers with a `Content-Length`.',
    why: 'nothing is held back, and only chunks can have trailers.',
    covers: [{ calls: ALL, aspects: ['framing'] }],
  },
  {
    id: 'One Date',
    router: 'has two `Date` headers on what it relays, and none on its error pages.',
    gateway: 'has one.',
    why: 'RFC 9110 allows one.',
    covers: [{ calls: ALL, aspects: ['dates'] }],
  },
  {
    id: 'Connections stay open',
    router: 'closes the connection after an error, and does not say how long it keeps one.',
    gateway:
      'keeps it wherever the next request can be told from this one, and says how long in `Keep-Alive`.',
    why: 'clients need not connect anew, and know when not to use an idle connection.',
    covers: [{ calls: ALL, aspects: ['keep-alive', 'connection'] }],
  },
  {
    id: 'Bodies of queries are not judged',
    router:
      'parses and writes anew; what it cannot parse gets its own 400 `Unknown exception`, or 415 for a native query without a content type.',
    gateway:
      "sends the client's bytes on; the answer is the Broker's: 400 in other words, 415 or 500 (some in HTML).",
    why: 'a query reaches the Broker as it was written, whatever version and extensions it has. Druid 34 takes SQL as plain text; nothing here had to learn that.',
    covers: [
      {
        calls: [
          ...[
            'sql: malformed JSON',
            'sql: an empty body',
            'sql: as plain text',
            'sql: as a form',
            'sql: in XML',
          ],
          ...['sql: no query', 'sql: a list instead of an object', 'sql: an unknown result format'],
          ...['native: an unknown type', 'native: no type', 'native: no aggregations in groupBy'],
          ...['native: an empty body', 'native: malformed JSON', 'native: without a content type'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'No ids are added to queries',
    router: "puts a `queryId` into the context of SQL, which shows in the plan's native query.",
    gateway: 'adds nothing; the Broker makes the ids that are missing.',
    why: 'as above.',
    covers: [{ calls: ['sql: the plan'], aspects: ['body'] }],
  },
  {
    id: 'JDBC as it was sent',
    router: 'writes the JSON anew: 502 when it had blanks, 500 when it was in the `request` header.',
    gateway: 'sends it on as it is; both work, as they do at a Broker.',
    why: 'the Avatica protocol allows both.',
    covers: [{ calls: ['jdbc: with blanks in the JSON', 'jdbc: in the request header'], aspects: ALL }],
  },
  {
    id: "JDBC errors are the Broker's",
    router:
      'answers a request that it finds no connection in with a page in HTML and 500, any method but POST included.',
    gateway: "sends it to a Broker, whose answer is Avatica's error in the client's own format, or 405.",
    why: 'drivers show what Avatica says, and nothing of a page in HTML.',
    covers: [
      {
        calls: ['jdbc: without a connection', 'jdbc: malformed JSON', 'jdbc: not protobuf', 'jdbc: GET'],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Vary is as the node has it',
    router: 'adds `Vary: Accept-Encoding, User-Agent` to the answers of its own and to those of Avatica.',
    gateway: 'does not: they are the same whatever the client accepts.',
    why: 'it compresses nothing.',
    covers: [
      {
        calls: ['jdbc: a connection is opened', 'jdbc: without the slash at the end', 'proxy:*', 'router:*'],
        aspects: ['vary'],
      },
    ],
  },
  {
    id: 'HEAD is answered',
    router: 'answers 405, as all of Druid does.',
    gateway:
      'answers as it would GET, without the body; where GET is not allowed either, with the 405 of that.',
    why: 'probes and tools ask with HEAD.',
    covers: [
      {
        calls: ['sql: HEAD', 'coordinator: HEAD', 'overlord: HEAD', 'router: HEAD*', 'console: HEAD*'],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'OPTIONS is answered',
    router: 'answers 405.',
    gateway:
      'answers 204 with `Allow`, itself; a preflight of a browser is answered by the node, or by what `cors` says.',
    why: 'it is asked before anything else by some clients, and no node needs to be asked.',
    covers: [{ calls: ['sql: OPTIONS', 'coordinator: OPTIONS', 'router: OPTIONS*'], aspects: ALL }],
  },
  {
    id: 'A method that is not allowed',
    router: 'answers 405 without a body, and not always with `Allow`.',
    gateway: "answers 405 with `Allow` and an error in Druid's JSON.",
    why: 'RFC 9110 asks for `Allow`, and clients show the error.',
    covers: [
      {
        calls: ['sql: PATCH', 'sql: TRACE', 'coordinator: PATCH', 'router: POST to its health'],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Errors of its own are JSON',
    router: 'answers unknown paths with a page in HTML, with nothing, or with 405.',
    gateway: "answers 404 with an error in Druid's JSON, a reason and a request id.",
    why: 'clients of Druid show such errors; `context.reason` can be acted on.',
    covers: [
      {
        calls: [
          ...['router: GET /druid', 'router: GET /druid/nowhere', 'router: GET /nowhere'],
          ...[
            'router: GET /status/nowhere',
            'router: GET /druid/router/v1',
            'router: GET /druid/router/v1/nowhere',
          ],
          ...['wire: GET /DRUID/v2/datasources', 'wire: GET /druid/V2/datasources'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Internal paths are denied',
    router: 'has no such paths itself, but hands them on to the leaders below `/proxy`.',
    gateway: 'answers 404 `path_denied` in both places; `routes.allow` opens what is wanted.',
    why: "they are Druid's own traffic: some of them write to the metadata store or change one node behind its leader's back.",
    covers: [
      {
        calls: [
          ...['router: GET /druid/broker/v1/loadstatus', 'router: GET /druid/historical/v1/loadstatus'],
          ...['router: GET /druid/worker/v1/enabled', 'router: GET /druid-internal/v1/segments'],
          ...['router: GET /druid/listen/v1/lookups', 'router: GET /info'],
          ...[
            'proxy: GET /coordinator/druid-internal/v1/segments',
            'proxy: GET /overlord/druid/worker/v1/enabled',
          ],
          ...['overlord: an internal action', 'proxy: an internal action'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Users and roles without a prefix',
    router: 'has `/druid-ext/basic-security` only below `/proxy/coordinator`.',
    gateway:
      'has it at its own path, too: on a cluster without the extension the answer is the Coordinator’s 404.',
    why: 'it is where the documents of Druid have it, at the Coordinator.',
    covers: [{ calls: ['router: GET /druid-ext/*'], aspects: ALL }],
  },
  {
    id: 'Destinations below /proxy',
    router:
      'glues what follows `/proxy/coordinator` to the address of the leader: 403, or a 302 to that address.',
    gateway: 'knows `/proxy/coordinator/…` and `/proxy/overlord/…`; all else is 400 or 404 in JSON.',
    why: 'a client gets no internal address, and cannot choose a host.',
    covers: [
      {
        calls: [
          ...['proxy: GET /', 'proxy: GET /enabled/', 'proxy: GET /broker/status', 'proxy: GET (nothing)'],
          ...['proxy: GET /coordinator', 'proxy: GET /coordinator/', 'proxy: GET /coordinatorx'],
          ...['proxy: GET /coordinator@127.0.0.1', 'proxy: GET /coordinator%2fstatus'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'No console below /proxy',
    router: "serves all of the Coordinator below `/proxy/coordinator`, its console's page included.",
    gateway: 'serves `/status`, `/druid/*` and `/druid-ext/*` there.',
    why: 'that page asks for its scripts and data at the root; it cannot work there.',
    covers: [{ calls: ['proxy: GET /coordinator/unified-console.html'], aspects: ALL }],
  },
  {
    id: 'Odd paths are refused',
    router: 'answers some of them as if they were others (`;x=1`, `#x`), and others with 404.',
    gateway: 'answers 400 to all that servers read in different ways.',
    why: 'what is denied cannot be reached by another spelling of it. See docs/routing.md.',
    covers: [
      {
        calls: [
          ...['wire: GET //*', 'wire: GET /druid//*', 'wire: GET /druid/./*', 'wire: GET /x/../*'],
          ...[
            'wire: GET /druid/%2e%2e/*',
            'wire: GET /druid/v2/datasources;x=1',
            'wire: GET /druid/v2/datasources#x',
          ],
          'wire: GET /druid/coordinator/../*',
          ...['proxy: GET /coordinator/druid/coordinator/v1/../v1/leader'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Odd queries go on',
    router: 'answers 500 in HTML when the query string is not well encoded.',
    gateway: 'sends it on as it is; the Coordinator makes what it can of it.',
    why: 'it decides on nothing but the path.',
    covers: [
      {
        calls: ['coordinator: a query with odd characters', 'coordinator: a query with a bad escape'],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'Malformed requests',
    router: 'answers 400 or 417 in HTML, and 200 to a request with two `Host` headers.',
    gateway: "answers 400 or 417 with an error in Druid's JSON, two `Host` headers included.",
    why: 'as for other errors; RFC 9112 asks for 400 when `Host` is not there once.',
    covers: [
      {
        calls: [
          ...[
            'wire: GET /druid/v2/datasources/%zz',
            'wire: GET /druid/v2/datasources/%00',
            'wire: GET /druid/v2/a b',
          ],
          ...['wire: GET druid/*', 'wire: no Host', 'wire: two Hosts', 'wire: two framings'],
          ...['wire: another expectation'],
        ],
        aspects: ALL,
      },
    ],
  },
  {
    id: 'The management proxy is always on',
    router: 'tells its own properties at `/status/properties`.',
    gateway: "tells a Broker's, with `druid.router.managementProxy.enabled` as `true`.",
    why: 'it has none; the console looks at this one.',
    covers: [{ calls: ['router: GET /status/properties'], aspects: ['body'] }],
  },
  {
    id: 'Readiness as Druid 37 has it',
    router: 'has `/status/ready` since Druid 37; this one answers 404.',
    gateway:
      'has it whatever Druid’s version: 200 once it knows the cluster and until a shutdown begins, else 503.',
    why: 'load balancers can ask for it.',
    covers: [{ calls: ['router: GET /status/ready'], aspects: ALL }],
  },
  {
    id: 'Headers of answers of its own',
    router:
      'has `Content-Security-Policy` and `Cache-Control: no-cache, no-store, max-age=0`, and not always a type.',
    gateway: 'has `Content-Type: application/json` and `Cache-Control: no-store`.',
    why: 'JSON is no document that a page could frame.',
    covers: [
      {
        calls: ['proxy: GET /enabled', 'router:*'],
        aspects: ['content-security-policy', 'cache-control', 'content-type'],
      },
    ],
  },
  {
    id: 'Redirects to the console are relative',
    router: 'sends `http://` and the `Host` that it was asked for.',
    gateway: 'sends the path alone.',
    why: 'behind a load balancer with TLS the whole URL would be the wrong one. Druid 35 and later do the same.',
    covers: [
      {
        calls: [
          'console: GET /',
          'console: GET /index.html',
          'console: GET /console.html',
          'console: GET /old-console.html',
        ],
        aspects: ['location'],
      },
    ],
  },
];
