import { Type } from 'typebox';
import {
  basePath,
  choice,
  choices,
  count,
  duration,
  durationOrZero,
  file,
  flag,
  formatted,
  listOf,
  optionalSection,
  secretFile,
  section,
  share,
  size,
} from './schema-types.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const ADDRESS = 'HOST:PORT, for example 0.0.0.0:8888 or [::]:8888';
const CIDR = 'an IP address or a network such as 10.0.0.0/8 or fd00::/8';
const NO_LIMIT = 'a whole number from 0; 0 is no limit';

const host = (fallback: string) =>
  formatted('The address to listen on.', 'host', 'a host name or an IP address', fallback);
const port = (fallback: number) =>
  Type.Integer({
    description: 'The port to listen on; 0 lets the system choose.',
    default: fallback,
    minimum: 0,
    maximum: 65_535,
    expected: 'a port from 0 to 65535',
  });

/** A list of networks. */
export const networks = (description: string) =>
  listOf(description, formatted('One network.', 'cidr', CIDR), 'a list of networks');

/** TLS of a listener: its own certificate, and the certificates it demands from clients. */
const serverTls = (what: string) =>
  optionalSection(
    {
      certFile: file(`${what}: its certificate.`, "a PEM file with the server's certificate"),
      keyFile: file('Its key.', "a PEM file with the server's key"),
      caFile: Type.Optional(
        file(
          'Against what certificates of clients are checked.',
          'a PEM file with the authorities that sign client certificates',
        ),
      ),
      keyPassphraseFile: Type.Optional(
        secretFile('For a key that is encrypted.', "a file with the key's passphrase"),
      ),
      requireClientCertificate: flag('Whether a client must show a certificate.', false),
    },
    { description: `${what}.` },
  );

/** Section `listen`: the listener for Druid's clients. */
export const listenSection = () =>
  section(
    {
      host: host('0.0.0.0'),
      port: port(8888),
      basePath: basePath(
        'Everything is served below this path, the console included, so that an ingress can put several clusters side by side; nodes never see it. Paths elsewhere in the configuration are without it. The admin listener has none.',
      ),
      tls: serverTls('HTTPS for clients'),
    },
    { shorthand: 'address', expected: ADDRESS, description: "Where Druid's clients come in." },
  );

/** Section `admin`. */
export const adminSection = () =>
  section(
    {
      listen: section(
        { host: host('127.0.0.1'), port: port(9888) },
        { shorthand: 'address', expected: ADDRESS },
      ),
      tls: serverTls('HTTPS for operators'),
      tokenFile: Type.Optional(
        secretFile(
          'Actions must show the token in this file, as `Authorization: Bearer TOKEN`. Needed, unless client certificates are, where other machines reach the listener.',
          'a file with the token that actions need',
        ),
      ),
      allowedHosts: listOf(
        'Host names that the listener is called by, besides addresses and localhost. A page in a browser can have a name of its own lead to any address.',
        formatted('One host name.', 'host', 'a host name or an IP address'),
        'a list of host names',
      ),
      health: optionalSection(
        {
          listen: section(
            { host: host('127.0.0.1'), port: port(9889) },
            { shorthand: 'address', expected: ADDRESS },
          ),
        },
        {
          description:
            'A second listener that has /health/* and /metrics only, for probes and scrapes from other machines.',
        },
      ),
      viewClients: Type.Array(formatted('One network.', 'cidr', CIDR), {
        description:
          'Networks of clients that are told the view of the cluster where they ask for it by `X-Druid-Gateway-View`.',
        default: ['127.0.0.0/8', '::1/128'],
        expected: 'a list of networks',
      }),
    },
    { description: 'Metrics, health, status, and actions on Brokers.' },
  );

/** Section `forwarded`: proxies in front of the gateway. */
export const forwardedSection = () =>
  section(
    {
      trust: networks(
        'Networks of the proxies in front, whose X-Forwarded-* headers are believed. The client is the first address from the right of X-Forwarded-For that is not in them; what stands to its left, and what anybody else says, is dropped.',
      ),
      hops: Type.Integer({
        description:
          'Instead of networks: so many proxies are in front, whatever their addresses. Only where nobody can go around them.',
        default: 0,
        minimum: 0,
        maximum: 100,
        expected: 'a whole number from 0 to 100',
      }),
      header: choice(
        'What the proxies write: x-forwarded-for (where there is none, Forwarded is read), or forwarded (X-Forwarded-* are then dropped).',
        ['x-forwarded-for', 'forwarded'],
        'x-forwarded-for',
      ),
    },
    { description: 'Proxies in front of the gateway.' },
  );

/** Section `cors`: what pages of other sites may do in their users' browsers. */
export const corsSection = () =>
  section(
    {
      origins: listOf(
        'Origins whose pages may read and ask for everything; `*` is all of them, without credentials. Without origins a node answers preflights, and such pages change nothing here: what is no GET, HEAD or OPTIONS is 403, queries in JSON excepted.',
        formatted('One origin.', 'origin', 'an origin such as https://bi.example.com, or *'),
        'a list of origins',
      ),
      methods: choices(
        'Methods that they may use.',
        ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
        ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
      ),
      headers: Type.Array(formatted('One header.', 'header-name', 'the name of a header'), {
        description: 'Headers that they may send.',
        default: ['Authorization', 'Content-Type'],
        expected: 'a list of names of headers',
      }),
      credentials: flag('Whether browsers may send cookies and passwords along.', false),
      maxAge: durationOrZero(
        'How long a browser may keep the answer to a preflight.',
        600_000,
        'is kept by nobody',
      ),
    },
    { description: 'What pages of other sites may do in the browsers of their users.' },
  );

/** Section `limits`: limits on clients. */
export const limitsSection = () =>
  section(
    {
      headersTimeout: duration('To receive the head of a request, and for a TLS handshake.', 15_000),
      requestTimeout: durationOrZero('To receive a whole request with its body.', 300_000, 'waits for ever'),
      bodyIdleTimeout: durationOrZero(
        'Between two pieces of the body of a request, while the gateway waits for them; then 408.',
        15_000,
        'waits for ever',
      ),
      minBodyRate: size(
        'What a client must send of a body in a second, over each 15 seconds that it is waited for; 0 is no limit.',
        500,
        0,
        1 * MiB,
      ),
      bodyMemory: size(
        'What is kept of all request bodies together: while they come in, while they wait, and to be sent again. Beyond it bodies are not read on, after `limits.queue.maxWait` they get 503; 0 is no limit.',
        256 * MiB,
        0,
        64 * 1024 * MiB,
      ),
      keepAliveTimeout: duration(
        'Idle client connections are kept so long: above the idle time of a load balancer in front.',
        75_000,
      ),
      maxHeaderSize: size('Largest head of a request.', 64 * KiB, 8 * KiB, 1 * MiB),
      maxHeaders: count(
        'Most header fields in the head of a request.',
        2_000,
        100,
        'a whole number from 100',
      ),
      sendTimeout: durationOrZero(
        'A client that has not read all that it was sent is cut when it has read nothing for so long.',
        60_000,
        'waits for ever',
      ),
      halfCloseGrace: durationOrZero(
        'A client that has ended its side of the connection, and cannot be asked whether it still waits for its answer, counts as there for so long.',
        1_000,
        'gives it up at once',
      ),
      maxConnections: count('Client connections at once; more are closed.', 10_000, 0, NO_LIMIT),
      concurrency: section(
        {
          total: count(
            'Requests that are at nodes at once, of all roles. Cancels of queries are not limited.',
            2_000,
            0,
            NO_LIMIT,
          ),
          coordinator: count('The same to the Coordinator.', 500, 0, NO_LIMIT),
          overlord: count('The same to the Overlord.', 500, 0, NO_LIMIT),
          broker: count('The same to the Brokers.', 1_500, 0, NO_LIMIT),
          perClient: count(
            'The same of one client (by its address, or as a trusted proxy says); beyond, it gets 429.',
            1_000,
            0,
            NO_LIMIT,
          ),
          largeShare: share(
            "The largest part of a role's limit, and of `upstream.maxRequestsPerNode`, for large requests (a body above 256 KiB or of unknown length, downloads).",
            0.75,
          ),
        },
        { description: 'Requests that are at a node at once. Cancels of queries are not limited.' },
      ),
      queue: section(
        {
          maxRequests: count(
            "Requests beyond `limits.concurrency` that wait, clients by turns, for each role; one client's at most half of it. Beyond, they get 503 at once.",
            1_000,
            0,
            'a whole number from 0',
          ),
          maxWait: durationOrZero('How long one may wait there.', 10_000, 'never waits'),
        },
        {
          description:
            'Requests beyond these limits wait, clients by turns; beyond these bounds they get 503 at once.',
        },
      ),
      maxEventLoopDelay: durationOrZero(
        'New requests get 503 while the event loop is late by more than this for two seconds.',
        1_000,
        'is no limit',
      ),
    },
    { description: 'What clients may do.' },
  );

/** Section `doors`. */
export const doorsSection = () =>
  section(
    {
      express: flag(
        'Plain requests are read from the socket itself. With false every request goes through `node:http`, at several times the cost (why: docs/decisions/0010-express-door.md); nothing else depends on it.',
        true,
      ),
      sharedReadBuffer: flag(
        'Reads all plain connections into one buffer: less CPU time for each request, by means that Node.js does not document.',
        false,
      ),
    },
    { description: 'How requests are read.' },
  );
