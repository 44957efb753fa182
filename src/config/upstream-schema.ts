import { Type } from 'typebox';
import { networks } from './client-schema.ts';
import {
  choice,
  choices,
  clientTls,
  count,
  duration,
  durationOrZero,
  flag,
  formatted,
  listOf,
  optionalFlag,
  optionalSection,
  section,
  share,
  size,
} from './schema-types.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Values of `upstream` for one class of requests; absent ones come from the section itself. */
const timeouts = (description: string) =>
  optionalSection(
    {
      responseTimeout: Type.Optional(
        durationOrZero('Instead of `upstream.responseTimeout`.', undefined, 'waits for ever'),
      ),
      idleTimeout: Type.Optional(
        durationOrZero('Instead of `upstream.idleTimeout`.', undefined, 'waits for ever'),
      ),
      totalTimeout: Type.Optional(
        durationOrZero('Instead of `upstream.totalTimeout`.', undefined, 'is no limit'),
      ),
    },
    { description },
  );

/** Section `upstream`: connections to Druid's nodes. */
export const upstreamSection = () =>
  section(
    {
      tls: optionalSection(clientTls, { description: 'For nodes that announce a TLS port.' }),
      connectTimeout: duration('For a connection to a node.', 2_000),
      responseTimeout: durationOrZero(
        'To the first byte of an answer. A query that has a `timeout` in its context has that instead.',
        900_000,
        'waits for ever',
      ),
      idleTimeout: durationOrZero('Between two bytes of an answer.', 900_000, 'waits for ever'),
      totalTimeout: durationOrZero(
        "For a whole exchange with a node, to the answer's last byte.",
        0,
        'is no limit',
      ),
      abandonedTimeout: durationOrZero(
        'How long a request is still waited for at a master after another one has begun to lead, unless it can be sent to that one: reads are. A write then gets a 504 that calls its fate unknown.',
        30_000,
        'waits as usual',
      ),
      byClass: section(
        {
          query: timeouts('Native and SQL queries.'),
          statement: timeouts('MSQ: tasks and statements.'),
          jdbc: timeouts('JDBC.'),
          read: timeouts('GET and HEAD.'),
          write: timeouts('All else to a master.'),
          stream: timeouts('Task logs and results of statements.'),
        },
        {
          description:
            "For a class of requests, what differs from the three above. A query's own `timeout` comes before it.",
        },
      ),
      keepAlive: duration(
        'Idle connections are kept so long: below `druid.server.http.maxIdleTime` of the nodes (5m).',
        30_000,
      ),
      maxRequestsPerNode: count(
        'Requests that a node may have under way; others go to another one or wait (`limits.queue`).',
        256,
        1,
        'a whole number from 1',
      ),
      bufferBody: size(
        'Request bodies up to this size are kept, so that they can be sent again to another node.',
        1 * MiB,
        0,
        1024 * MiB,
      ),
      maxHeaderSize: size('Largest head of an answer.', 64 * KiB, 8 * KiB, 1 * MiB),
      showNode: flag(
        'Whether `X-Druid-Server`, `X-Druid-Service` and `X-Druid-Version` (Druid 39), in which a node says who it is, are handed on.',
        false,
      ),
    },
    { description: "Connections to Druid's nodes." },
  );

/** Values of `queries` for native or for SQL queries. */
const ofQueries = (description: string) =>
  optionalSection(
    { cancelOnDisconnect: optionalFlag('Instead of `queries.cancelOnDisconnect`.') },
    { description },
  );

/** Section `queries`. */
export const queriesSection = () =>
  section(
    {
      timeoutSlack: duration(
        "Added to a query's own timeout (`context.timeout`) before the gateway gives it up and cancels it.",
        5_000,
        0,
      ),
      cancelOnDisconnect: flag(
        "Whether a query is cancelled at its Broker when its client leaves before the answer's end.",
        true,
      ),
      maxCancels: count(
        'How many cancels of clients may be under way at once, a quarter of them of one client; beyond that they are refused. They are asked of all Brokers, unless the query is known, and take no room from queries.',
        64,
        1,
        'a whole number from 1',
      ),
      native: ofQueries('For native queries.'),
      sql: ofQueries('For SQL.'),
      resetIncomplete: flag(
        'Whether the connection is reset, instead of ended cleanly, where Druid says in a trailer that an answer is not whole, or does not say that it is although it was to; clients that send `TE: trailers` get the trailer.',
        false,
      ),
    },
    { description: 'Time and end of queries.' },
  );

/** Values of `parking` for one role; absent ones come from the section itself. */
const waits = (description: string) =>
  optionalSection(
    {
      maxWait: Type.Optional(durationOrZero('Instead of `parking.maxWait`.', undefined, 'never waits')),
      maxRequests: Type.Optional(
        count('Instead of `parking.maxRequests`.', undefined, 0, 'a whole number from 0'),
      ),
      maxBytes: Type.Optional(size('Instead of `parking.maxBytes`.', undefined, 0, 16 * 1024 * MiB)),
    },
    { description },
  );

/** Section `parking`: requests that wait for a leader or a ready Broker. */
export const parkingSection = () =>
  section(
    {
      maxWait: durationOrZero(
        "How long a request waits for a leader or a ready Broker; above the time that an election takes (the ZooKeeper session timeout of Druid's masters). By default 90s with `discovery.type: kubernetes`, where elections take 60 to 80 s, and 110s with `consul`, where one takes as long after a crash.",
        40_000,
        'never waits',
      ),
      maxWaitStale: durationOrZero(
        'The same while the source of discovery is out of reach and no master confirms that it leads.',
        3_000,
        'never waits',
      ),
      maxRequests: count(
        'How many requests may wait so at once, for each role.',
        1_000,
        0,
        'a whole number from 0',
      ),
      maxBytes: size(
        'Bytes of request bodies that may be kept for them, for each role.',
        64 * MiB,
        0,
        16 * 1024 * MiB,
      ),
      coordinator: waits('For the Coordinator, what differs from the above.'),
      overlord: waits('For the Overlord, what differs from the above.'),
      broker: waits('For the Brokers, what differs from the above.'),
    },
    { description: 'Requests for which there is no leader or no ready Broker wait.' },
  );

/** Section `retries`. */
export const retriesSection = () =>
  section(
    {
      share: share(
        'Requests that are sent again after bytes of them had gone out, as a share of all requests.',
        0.2,
      ),
      minPerSecond: count('So many of them are always allowed.', 10, 0, 'a whole number from 0'),
    },
    {
      description:
        'Requests that are sent again after bytes of them had gone out, over the last ten seconds and all roles together.',
    },
  );

const mode = (description: string) => choice(description, ['relay', 'redirect', 'auto'], 'relay');

/** Section `mode`. */
export const modeSection = () =>
  section(
    {
      coordinator: mode(
        'How the Coordinator is reached: through the gateway (relay), by a 307 to the node (redirect), or by that for `redirect.clients` only (auto).',
      ),
      overlord: mode('The same for the Overlord.'),
      broker: mode('The same for the Brokers.'),
    },
    {
      description:
        'relay: answers go through the gateway. redirect: clients get a 307 to the node. auto: redirect for `redirect.clients`.',
    },
  );

/** Section `redirect`. */
export const redirectSection = () =>
  section(
    {
      methods: choices(
        'Methods that are redirected, HEAD with GET; others are relayed.',
        ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
        ['GET', 'POST', 'PUT', 'DELETE'],
      ),
      clients: networks('For mode `auto`: networks of clients that can reach the nodes, such as 10.0.0.0/8.'),
      addresses: listOf(
        'Announced host:port to external URL. An exact rule wins, otherwise the first that fits. With rules, a node that none names is relayed to.',
        section(
          {
            from: formatted(
              'What nodes announce; exact, or with `*`.',
              'address-pattern',
              'host:port, *:port, 10.0.*:port or *',
            ),
            to: formatted(
              'What clients are told.',
              'address-template',
              'an http(s) URL without path, in which {host}, {port} and {hostname-first-label} may stand',
            ),
          },
          { expected: '{ from, to }' },
        ),
        'a list of { from, to }',
      ),
    },
    { description: 'Whom and to where the modes redirect and auto send.' },
  );
