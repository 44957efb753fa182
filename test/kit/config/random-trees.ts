import fc from 'fast-check';
import { ROOT, type SchemaNode } from '../../../src/config/schema-walk.ts';

const FORMATTED: Readonly<Record<string, readonly string[]>> = {
  host: ['localhost', 'druid-1.example.com', '10.0.0.1', '::1', '::'],
  'name-suffix': ['druid-1.internal', '.druid.internal'],
  cidr: ['10.0.0.0/8', '192.168.1.1', 'fd00::/8', '::1'],
  origin: ['https://bi.example.com', 'http://localhost:3000'],
  'header-name': ['Authorization', 'x-mine'],
  znode: ['/', '/druid', '/a/b-c'],
  'zookeeper-connect': ['zk', 'zk:1', 'a:1,b:2/prod', '[::1]:2181'],
  'node-url': ['http://a:8081', 'https://[::1]:8281'],
  'kubernetes-cluster': ['druid', 'druid-prod'],
  'kubernetes-namespace': ['druid', 'd-1'],
  'server-url': ['https://10.0.0.1:6443', 'http://127.0.0.1:8001/proxy'],
  'srv-name': ['_http._tcp.druid-broker.druid.svc', 'druid.test.'],
  'dns-server': ['10.0.0.1', '127.0.0.1:8600', '[::1]:53'],
  'consul-prefix': ['druid', 'druid-prod'],
  'consul-key': ['druid/leader/coordinator', 'mine'],
  'consul-datacenter': ['dc1'],
  'path-prefix': ['/', '/druid/v2'],
  'base-path': ['', '/druid-prod', '/a/b.c'],
  'header-match': ['X-Team', 'x-team: bi: 1'],
  'header-line': ['X-Scope-OrgID: druid'],
  'otlp-endpoint': ['http://collector:4318', 'https://otlp.example.com/v1/traces'],
  attribute: ['deployment.environment.name=test'],
  'kubernetes-port': ['', 'http'],
  'haproxy-name': ['druid-brokers', 'be_1.a'],
  'haproxy-words': ['check', 'check inter 2s maxconn 200'],
  'address-pattern': ['*', '*:8081', 'a:1', '[::1]:*'],
  'address-template': ['https://{host}:{port}', 'http://{hostname-first-label}.example.com'],
};

/** Any value of a part of the schema, in its resolved form. */
function valid(node: SchemaNode): fc.Arbitrary<unknown> {
  if (node.properties !== undefined) {
    // One without the other is what other tests are about.
    const pairs = ['certFile', 'keyFile', 'passwordFile'];
    const entries = Object.entries(node.properties);
    const required = entries.map(([key]) => key).filter((key) => isNeeded(node, key) || key === 'password');
    const model = Object.fromEntries(
      entries
        .filter(([key]) => isNeeded(node, key) || !pairs.includes(key))
        .map(([key, child]) => [key, valid(child)]),
    );
    return fc.record(model, { requiredKeys: required, noNullPrototype: true });
  }
  if (node.items !== undefined)
    return fc.uniqueArray(valid(node.items), { maxLength: 3, selector: (v) => JSON.stringify(v) });
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  if (node.type === 'boolean') return fc.boolean();
  if (node.type === 'number') return fc.constantFrom(0, 0.25, 1);
  if (node.type === 'integer') return fc.integer({ min: node.minimum ?? 0, max: node.maximum ?? 1_000_000 });
  if (node.format !== undefined) return fc.constantFrom(...(FORMATTED[node.format] ?? []));
  if (node.shorthand === 'file') return fc.constantFrom('/etc/a.pem', '/etc/b.pem');
  return fc.constantFrom('druid/broker', 'yes', '1', '# no comment', 'a: b', 'null', "it's");
}

type Section = Record<string, unknown>;

/** Clients are asked for certificates where there are authorities for them. */
function withClients(listener: Section): Section {
  const tls = listener.tls as Section | undefined;
  if (tls === undefined) return listener;
  return { ...listener, tls: { ...tls, requireClientCertificate: tls.caFile !== undefined } };
}

/** Backends of their own for each leader and service. */
function haproxyOnce({ haproxy }: Section): Section {
  if (haproxy === undefined) return {};
  const { backends, ...rest } = haproxy as Section;
  const { brokers } = backends as { brokers: Section[] };
  return {
    haproxy: {
      ...rest,
      backends: {
        coordinator: 'c',
        overlord: 'o',
        brokers: brokers.map((_, i) => ({ service: `s${i}`, backend: `b${i}` })),
      },
    },
  };
}

/** Services of their own, and times of a Lease in their order. */
function kubernetesOnce({ kubernetes }: Section): Section {
  if (kubernetes === undefined) return {};
  const services = { coordinator: 'c', overlord: 'o' };
  const times = { leaseDuration: 20_000, renewDeadline: 9_000, retryPeriod: 3_000 };
  return { kubernetes: { ...(kubernetes as Section), services, ...times } };
}

/** What belongs together in the sections `listen`, `admin`, `forwarded` and `brokers`. */
function consistent(tree: unknown): unknown {
  const { brokers, listen, admin, forwarded, history, feeds, discovery, ...others } = tree as Record<
    'brokers' | 'listen' | 'admin' | 'forwarded' | 'history' | 'feeds' | 'discovery',
    Section
  >;
  const list = (key: string) => brokers[key] as Record<string, unknown>[];
  const service = brokers.defaultService;
  return {
    ...others,
    feeds: { ...haproxyOnce(feeds), ...kubernetesOnce(feeds) },
    // Each would need its section.
    discovery: { ...discovery, fallback: [] },
    // Another file than that of the snapshot.
    history: history.file === undefined ? {} : { file: '/etc/c.pem' },
    listen: withClients(listen),
    admin: { ...withClients(admin), tokenFile: '/etc/a.pem' },
    forwarded: (forwarded.trust as unknown[]).length > 0 ? { ...forwarded, hops: 0 } : forwarded,
    brokers: {
      ...brokers,
      tiers: list('tiers').map((tier, i) => ({ ...tier, tier: `t${i}`, service })),
      rules: list('rules').map(({ match }) => ({
        match: { contextKey: 'team', ...(match as object) },
        service,
      })),
      strategies: list('strategies').map(({ type }) => ({ type })),
    },
  };
}

function isNeeded(node: SchemaNode, key: string): boolean {
  return node.required?.includes(key) ?? false;
}

/** Any configuration that is valid as a whole, in its resolved form. */
export const randomTrees = valid(ROOT)
  .map(consistent)
  .filter((tree) => {
    const {
      discovery,
      static: nodes,
      dns,
      kubernetes,
      consul,
    } = tree as {
      discovery: { type: string };
      static: Record<string, unknown[]>;
      dns: { coordinators: unknown[]; overlords: unknown[]; brokers: unknown[] };
      kubernetes?: object;
      consul?: object;
    };
    if (discovery.type === 'kubernetes' && kubernetes === undefined) return false;
    if (discovery.type === 'consul' && consul === undefined) return false;
    const names = [dns.coordinators, dns.overlords, dns.brokers];
    if (discovery.type === 'dns' && names.every((list) => list.length === 0)) return false;
    return discovery.type !== 'static' || Object.values(nodes).some((list) => list.length > 0);
  });
