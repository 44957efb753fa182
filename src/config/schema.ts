import { type Static, Type } from 'typebox';
import { brokerSection } from './broker-schema.ts';
import {
  choice,
  choices,
  count,
  duration,
  durationOrZero,
  file,
  flag,
  formatted,
  listOf,
  optionalFlag,
  secret,
  section,
  share,
  size,
  text,
  workers,
  znode,
} from './schema-types.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const ADDRESS = 'HOST:PORT, for example 0.0.0.0:8888 or [::]:8888';
const CIDR = 'an IP address or a network such as 10.0.0.0/8 or fd00::/8';
const NODE_URL = 'the http(s) URL of a node without path, for example http://druid-1:8081';

const host = (fallback: string) => formatted('host', 'a host name or an IP address', fallback);
const port = (fallback: number) =>
  Type.Integer({ default: fallback, minimum: 0, maximum: 65_535, expected: 'a port from 0 to 65535' });
const mode = () => choice(['relay', 'redirect', 'auto'], 'relay');
const nodeUrl = () => formatted('node-url', NODE_URL);

/** What a role may have of its own in `parking`; the section's own values hold for what is not there. */
const waits = () =>
  section({
    maxWait: Type.Optional(durationOrZero(undefined, 'never waits')),
    maxRequests: Type.Optional(count(undefined, 0, 'a whole number from 0')),
    maxBytes: Type.Optional(size(undefined, 0, 16 * 1024 * MiB)),
  });

/** What a class of requests may have of its own in `upstream`; the section's own values hold for what is not there. */
const timeouts = () =>
  Type.Optional(
    section({
      responseTimeout: Type.Optional(durationOrZero(undefined, 'waits for ever')),
      idleTimeout: Type.Optional(durationOrZero(undefined, 'waits for ever')),
      totalTimeout: Type.Optional(durationOrZero(undefined, 'is no limit')),
    }),
  );

/** What native or SQL queries may have of their own in `queries`. */
const ofQueries = () => Type.Optional(section({ cancelOnDisconnect: optionalFlag() }));

const clientTls = {
  caFile: Type.Optional(file('a PEM file with the authorities to trust')),
  certFile: Type.Optional(file("a PEM file with the client's certificate")),
  keyFile: Type.Optional(file("a PEM file with the client's key")),
  verify: flag(true),
};

/**
 * The configuration, once for everything: what may be written, what it means where nothing is written, and the type
 * that the program works with. `config/full.yaml` explains each key.
 */
export const ConfigSchema = section({
  /** Resolved: `auto` is as many as there are cores. */
  workers: workers(),
  listen: section(
    {
      host: host('0.0.0.0'),
      port: port(8888),
      tls: Type.Optional(
        section({
          certFile: file("a PEM file with the server's certificate"),
          keyFile: file("a PEM file with the server's key"),
          caFile: Type.Optional(file('a PEM file with the authorities that sign client certificates')),
          keyPassphraseFile: Type.Optional(file("a file with the key's passphrase")),
          requireClientCertificate: flag(false),
        }),
      ),
    },
    { shorthand: 'address', expected: ADDRESS },
  ),
  admin: section({
    listen: section(
      { host: host('127.0.0.1'), port: port(9888) },
      { shorthand: 'address', expected: ADDRESS },
    ),
  }),
  discovery: section({
    type: choice(['zookeeper', 'static'], 'zookeeper'),
    snapshotFile: Type.Optional(file('a file that the gateway may write')),
    snapshotMaxAge: duration(24 * 3_600_000, 1_000),
  }),
  zookeeper: section({
    connect: formatted('zookeeper-connect', 'HOST:PORT[,HOST:PORT...][/chroot]', 'localhost:2181'),
    sessionTimeout: duration(30_000, 1_000),
    basePath: znode('an absolute ZooKeeper path such as /druid', '/druid'),
    /** Derived from `basePath` where it is not given. */
    coordinatorPath: znode('an absolute ZooKeeper path such as /druid/coordinator'),
    auth: Type.Optional(
      section({
        scheme: text('an authentication scheme of ZooKeeper, for example digest', 'digest'),
        user: text('the name of a user'),
        /** There after loading, from wherever it came. */
        password: Type.Optional(secret("the user's password")),
        /** Gone after loading: its content becomes `password`. */
        passwordFile: Type.Optional(file("a file with the user's password")),
      }),
    ),
    tls: Type.Optional(
      section({
        ...clientTls,
        serverName: Type.Optional(text("the name that the server's certificate must have")),
      }),
    ),
  }),
  static: section({
    coordinators: listOf(nodeUrl(), 'a list of URLs'),
    overlords: listOf(nodeUrl(), 'a list of URLs'),
    brokers: listOf(
      section(
        {
          url: nodeUrl(),
          service: text('the name of a Broker service, for example druid/broker', 'druid/broker'),
        },
        { shorthand: 'broker', expected: 'a URL, or { url, service }' },
      ),
      'a list of URLs, or of { url, service }',
    ),
  }),
  upstream: section({
    tls: Type.Optional(section(clientTls)),
    connectTimeout: duration(2_000),
    responseTimeout: durationOrZero(900_000, 'waits for ever'),
    idleTimeout: durationOrZero(900_000, 'waits for ever'),
    totalTimeout: durationOrZero(0, 'is no limit'),
    byClass: section({
      query: timeouts(),
      statement: timeouts(),
      jdbc: timeouts(),
      read: timeouts(),
      write: timeouts(),
      stream: timeouts(),
    }),
    keepAlive: duration(30_000),
    maxRequestsPerNode: count(256, 1, 'a whole number from 1'),
    bufferBody: size(1 * MiB, 0, 1024 * MiB),
    maxHeaderSize: size(64 * KiB, 8 * KiB, 1 * MiB),
  }),
  queries: section({
    timeoutSlack: duration(5_000, 0),
    cancelOnDisconnect: flag(true),
    native: ofQueries(),
    sql: ofQueries(),
    resetIncomplete: flag(false),
  }),
  brokers: brokerSection(),
  leadership: section({
    probeInterval: duration(2_000, 100),
    probeTimeout: duration(1_000, 10),
    confirmInterval: duration(50, 10),
  }),
  health: section({
    brokerProbeInterval: duration(1_000, 100),
    brokerProbeTimeout: duration(1_000, 10),
    outlier: section({
      failures: count(5, 0, 'a whole number from 0; 0 ejects nobody'),
      ejection: duration(10_000, 100),
      maxEjection: duration(300_000, 100),
      maxEjectedShare: share(0.5),
    }),
    slowStart: durationOrZero(10_000, 'gives every Broker its whole share at once'),
    emptyGrace: durationOrZero(10_000, 'believes an empty list at once'),
    live: section({
      maxStall: durationOrZero(10_000, 'is no limit'),
      maxInternalErrors: count(100, 0, 'a whole number from 0; 0 is no limit'),
    }),
  }),
  parking: section({
    maxWait: durationOrZero(40_000, 'never waits'),
    maxWaitStale: durationOrZero(3_000, 'never waits'),
    maxRequests: count(1_000, 0, 'a whole number from 0'),
    maxBytes: size(64 * MiB, 0, 16 * 1024 * MiB),
    coordinator: Type.Optional(waits()),
    overlord: Type.Optional(waits()),
    broker: Type.Optional(waits()),
  }),
  retries: section({
    share: share(0.2),
    minPerSecond: count(10, 0, 'a whole number from 0'),
  }),
  mode: section({ coordinator: mode(), overlord: mode(), broker: mode() }),
  redirect: section({
    methods: choices(['GET', 'HEAD', 'POST', 'PUT', 'DELETE'], ['GET', 'POST', 'PUT', 'DELETE']),
    clients: listOf(formatted('cidr', CIDR), 'a list of networks'),
    addresses: listOf(
      section(
        {
          from: formatted('address-pattern', 'host:port, *:port, 10.0.*:port or *'),
          to: formatted(
            'address-template',
            'an http(s) URL without path, in which {host}, {port} and {hostname-first-label} may stand',
          ),
        },
        { expected: '{ from, to }' },
      ),
      'a list of { from, to }',
    ),
  }),
  routes: section({
    allow: listOf(formatted('path-prefix', 'a path that starts with a slash'), 'a list of path prefixes'),
  }),
  forwarded: section({ trust: listOf(formatted('cidr', CIDR), 'a list of networks') }),
  limits: section({
    headersTimeout: duration(15_000),
    requestTimeout: durationOrZero(300_000, 'waits for ever'),
    keepAliveTimeout: duration(75_000),
    maxHeaderSize: size(64 * KiB, 8 * KiB, 1 * MiB),
    sendTimeout: durationOrZero(60_000, 'waits for ever'),
    maxConnections: count(0, 0, 'a whole number from 0; 0 is no limit'),
    concurrency: section({
      total: count(2_000, 0, 'a whole number from 0; 0 is no limit'),
      coordinator: count(500, 0, 'a whole number from 0; 0 is no limit'),
      overlord: count(500, 0, 'a whole number from 0; 0 is no limit'),
      broker: count(1_500, 0, 'a whole number from 0; 0 is no limit'),
      perClient: count(0, 0, 'a whole number from 0; 0 is no limit'),
      largeShare: share(0.75),
    }),
    queue: section({
      maxRequests: count(1_000, 0, 'a whole number from 0'),
      maxWait: durationOrZero(10_000, 'never waits'),
    }),
    maxEventLoopDelay: durationOrZero(1_000, 'is no limit'),
  }),
  doors: section({ express: flag(true), sharedReadBuffer: flag(false) }),
  shutdown: section({
    delay: durationOrZero(0, 'closes at once'),
    drain: durationOrZero(30_000, 'waits for nothing'),
  }),
  log: section({
    level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
    access: flag(true),
  }),
});

type DeepReadonly<T> = T extends readonly (infer I)[]
  ? readonly DeepReadonly<I>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The configuration as the program sees it: complete, in milliseconds and bytes, frozen. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>>;
export type ListenTls = NonNullable<Config['listen']['tls']>;
export type UpstreamTls = NonNullable<Config['upstream']['tls']>;
export type ZooKeeperTlsFiles = NonNullable<Config['zookeeper']['tls']>;
