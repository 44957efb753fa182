import { isIPv6 } from 'node:net';
import { withoutBrackets } from '../net/host-port.ts';
import type { Config } from './schema.ts';
import { isLocal } from './validate-listeners.ts';

/** A setting that may be fine in a trial, and exposes something in production. */
export interface DangerousSetting {
  /** Stable, because it labels a metric. */
  readonly id: string;
  /** What the setting exposes, and what to do instead. */
  readonly sentence: string;
}

interface Rule extends DangerousSetting {
  readonly when: (config: Config) => boolean;
}

/** A shorter prefix covers more than one owner's network. */
const SHORTEST_IPV4 = 8;
const SHORTEST_IPV6 = 16;
/** IPv4 addresses mapped into IPv6: `::ffff:0:0/96`. */
const MAPPED = /^(?:0*:)*:?f{4}:/i;
const MAPPED_BITS = 96;

/**
 * Paths of Druid's internal traffic, including a security extension's copies of passwords. The routing table denies
 * them.
 */
const INTERNAL = [
  '/druid-internal',
  '/druid-ext/basic-security',
  '/druid/indexer/v1/action',
  '/druid/listen',
  '/druid/worker',
  '/druid/dart-worker',
];

const RULES: readonly Rule[] = [
  {
    id: 'upstream_tls_unverified',
    when: ({ upstream }) => upstream.tls?.verify === false,
    sentence:
      'upstream.tls.verify is false: whoever can answer in the place of a node gets all credentials; name its authority in upstream.tls.caFile',
  },
  {
    id: 'zookeeper_tls_unverified',
    when: ({ zookeeper }) => zookeeper.tls?.verify === false,
    sentence:
      'zookeeper.tls.verify is false: whoever can answer in the place of ZooKeeper says which nodes there are; name its authority in zookeeper.tls.caFile',
  },
  {
    id: 'otlp_tls_unverified',
    when: ({ tracing }) => tracing.enabled && tracing.otlp.tls?.verify === false,
    sentence:
      'tracing.otlp.tls.verify is false: whoever can answer in the place of the receiver gets all spans and the headers; name its authority in tracing.otlp.tls.caFile',
  },
  {
    id: 'zookeeper_password_in_clear',
    when: ({ discovery, zookeeper }) =>
      uses(discovery, 'zookeeper') && zookeeper.auth !== undefined && zookeeper.tls === undefined,
    sentence:
      "zookeeper.auth without zookeeper.tls: the password crosses the network in the clear; use ZooKeeper's secure port and zookeeper.tls",
  },
  {
    id: 'kubernetes_in_clear',
    when: ({ discovery, kubernetes: { server } = {} }) =>
      uses(discovery, 'kubernetes') && server !== undefined && isPlainAndFar(server),
    sentence:
      'kubernetes.server is http: whoever can answer in its place says which nodes there are, and a token crosses the network in the clear; use https',
  },
  {
    id: 'kubernetes_feed_in_clear',
    when: ({ feeds, kubernetes }) => {
      const server = feeds.kubernetes?.server ?? kubernetes?.server;
      return feeds.kubernetes !== undefined && server !== undefined && isPlainAndFar(server);
    },
    sentence:
      'feeds.kubernetes.server is http: a token with which EndpointSlices can be written crosses the network in the clear; use https',
  },
  {
    id: 'consul_in_clear',
    when: ({ discovery, consul }) =>
      uses(discovery, 'consul') && consul !== undefined && isPlainAndFar(consul.server),
    sentence:
      'consul.server is http: whoever can answer in its place says which nodes there are, and a token crosses the network in the clear; use https, or the agent of this machine',
  },
  {
    id: 'forwarded_trust_everybody',
    when: ({ forwarded }) => forwarded.trust.some(coversStrangers),
    sentence:
      'forwarded.trust covers strangers: anybody can say that a request is from another address; name the addresses of the balancers alone',
  },
  {
    id: 'view_for_everybody',
    when: ({ admin }) => admin.viewClients.some(coversStrangers),
    sentence:
      'admin.viewClients covers strangers: anybody is told the state of the cluster; name the networks of operators alone',
  },
  {
    id: 'internal_paths_open',
    when: ({ routes }) => routes.allow.some(opensInternal),
    sentence:
      "routes.allow opens paths of Druid's internal traffic, by which tasks can be changed and passwords read; name the paths that are needed",
  },
  {
    id: 'admin_token_in_clear',
    when: ({ admin }) =>
      admin.tokenFile !== undefined && admin.tls === undefined && !isLocal(admin.listen.host),
    sentence: 'admin.tokenFile without admin.tls: the token crosses the network in the clear; give admin.tls',
  },
  {
    id: 'requests_unlimited',
    when: ({ limits: { concurrency } }) =>
      concurrency.total === 0 &&
      (concurrency.coordinator === 0 || concurrency.overlord === 0 || concurrency.broker === 0),
    sentence:
      'limits.concurrency is 0 for all and for a role: anybody can take that whole role; set one of the two',
  },
  {
    id: 'slow_clients_unlimited',
    when: ({ limits }) => limits.requestTimeout === 0 || limits.sendTimeout === 0,
    sentence:
      'limits.requestTimeout or limits.sendTimeout is 0: a client that is slow on purpose holds what it has for ever; set both',
  },
];

type Discovery = Config['discovery'];

function uses({ type, fallback }: Discovery, source: Discovery['type']): boolean {
  return type === source || fallback.includes(source);
}

function isPlainAndFar(server: string): boolean {
  const { protocol, hostname } = new URL(server);
  return protocol === 'http:' && !isLocal(withoutBrackets(hostname));
}

/** Returns the dangerous settings of a configuration. */
export function dangerousSettings(config: Config): DangerousSetting[] {
  return RULES.filter(({ when }) => when(config)).map(({ id, sentence }) => ({ id, sentence }));
}

/** Whether a network is larger than any that one owner could have. */
function coversStrangers(network: string): boolean {
  const [address = '', text] = network.split('/');
  if (text === undefined) return false;
  const bits = Number(text);
  if (!isIPv6(address)) return bits < SHORTEST_IPV4;
  return bits < SHORTEST_IPV6 || (MAPPED.test(address) && bits < MAPPED_BITS + SHORTEST_IPV4);
}

/**
 * Whether a prefix opens an internal path. A prefix opens all paths below it, and every path below an internal one is
 * internal.
 */
function opensInternal(prefix: string): boolean {
  const path = prefix.replace(/\/+$/, '');
  return INTERNAL.some(
    (internal) => `${internal}/`.startsWith(`${path}/`) || path.startsWith(`${internal}/`),
  );
}
