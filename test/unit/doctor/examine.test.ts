import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { type Check, fail, pass } from '../../../src/doctor/check.ts';
import { GROUPS, idsOf } from '../../../src/doctor/checks.ts';
import { examine, hasFailed } from '../../../src/doctor/examine.ts';
import type {
  ConsulFacts,
  Facts,
  GatewayStatus,
  KubernetesFacts,
  NodeFacts,
  TreeFacts,
  ZooKeeperFacts,
} from '../../../src/doctor/facts.ts';
import {
  BROKERS,
  CONSUL,
  COORDINATORS,
  follows,
  HEALTHY,
  KUBERNETES,
  leads,
  ledBy,
  NODES,
  node,
  OVERLORDS,
  PROPERTIES,
  properties,
  server,
  TREE,
  ZOOKEEPER,
} from './made-up.ts';

const [FIRST, SECOND] = COORDINATORS;

function zookeeper(change: Partial<ZooKeeperFacts>): Facts {
  return { ...HEALTHY, zookeeper: { ...ZOOKEEPER, ...change } };
}

function tree(change: Partial<TreeFacts>): Facts {
  return zookeeper({ tree: { ...TREE, ...change } });
}

/** The first Broker is otherwise. */
function broker(change: Partial<NodeFacts>): Facts {
  return { ...HEALTHY, nodes: NODES.map((one) => (one.origin === BROKERS[0] ? { ...one, ...change } : one)) };
}

function without(role: string): Facts {
  const others = NODES.filter(({ roles }) => !roles.includes(role));
  return { ...HEALTHY, nodes: others };
}

function store(type: string, uri: string): Facts {
  const change = { 'druid.metadata.storage.type': type, 'druid.metadata.storage.connector.connectURI': uri };
  return {
    ...HEALTHY,
    store: null,
    properties: COORDINATORS.map((origin) => properties(origin, 'coordinator', change)),
  };
}

function coordinators(...answers: Facts['leadership']['coordinator']['answers']): Facts {
  const { overlord, coordinator } = HEALTHY.leadership;
  return { ...HEALTHY, leadership: { overlord, coordinator: { ...coordinator, answers } } };
}

function status(change: Partial<GatewayStatus>): Facts {
  const { gateway } = HEALTHY;
  if (gateway.status === null) throw new Error('the healthy one has a gateway');
  return { ...HEALTHY, gateway: { ...gateway, status: { ...gateway.status, ...change } } };
}

function configured(environment: Record<string, string>): Facts {
  return status({ config: loadConfig({ environment }) });
}

/** Everything that is not as it should be, as `id RESULT`. */
function wrong(facts: Facts): string[] {
  return examine(facts)
    .checks.filter(({ result }) => result === 'WARN' || result === 'FAIL')
    .map(({ id, result }) => `${id} ${result}`);
}

function evidence(facts: Facts, id: string): string {
  return examine(facts).checks.find((check) => check.id === id)?.evidence ?? '';
}

test('a healthy cluster passes every check but those that tell of what cannot be known', () => {
  const { checks, totals } = examine(HEALTHY);
  expect(checks.filter(({ result }) => result !== 'PASS').map(({ id, result }) => `${id} ${result}`)).toEqual(
    ['zk.tls INFO', 'node.tls INFO', 'node.certificates SKIP', 'ha.metadata-failover INFO'],
  );
  expect(totals).toEqual({ pass: checks.length - 4, warn: 0, fail: 0, info: 3, skip: 1 });
});

const DAY = 86_400_000;
const one = server('zk-1:2181', { mode: 'standalone' });
const dead = server('zk-2:2181', {
  connected: false,
  grantedTimeoutMs: null,
  detail: 'zk-2:2181: ECONNREFUSED',
  mode: null,
  serves: null,
});

describe('each broken set-up has its diagnosis and no other', () => {
  const secured = (certificate: NodeFacts['certificate']): Facts => {
    const origin = 'https://10.0.0.5:8283';
    return { ...HEALTHY, nodes: [...NODES.slice(0, -1), node('historical', origin, { certificate })] };
  };

  test.each<[string, Facts, string[], string, string]>([
    [
      'one of three ZooKeeper servers is down',
      zookeeper({ servers: [...ZOOKEEPER.servers.slice(1), dead] }),
      ['zk.servers WARN', 'zk.ensemble WARN'],
      'zk.servers',
      'zk-2:2181: ECONNREFUSED',
    ],
    [
      'one ZooKeeper server stands alone',
      zookeeper({ servers: [one], members: [] }),
      ['ha.zookeeper FAIL'],
      'ha.zookeeper',
      'the loss of one ends elections',
    ],
    [
      'ZooKeeper has four voters',
      zookeeper({ members: [1, 2, 3, 4].map((id) => ({ id, voter: true, client: null })) }),
      ['zk.ensemble WARN', 'ha.zookeeper WARN'],
      'ha.zookeeper',
      'an even number',
    ],
    [
      'servers that know nothing of each other',
      zookeeper({ servers: [one, { ...one, name: 'zk-2:2181' }], members: [] }),
      ['zk.ensemble FAIL', 'ha.zookeeper FAIL'],
      'zk.ensemble',
      'nothing of each other',
    ],
    [
      'ZooKeeper grants less than is asked for',
      zookeeper({ servers: ZOOKEEPER.servers.map((one) => ({ ...one, grantedTimeoutMs: 4_000 })) }),
      ['zk.session WARN'],
      'zk.session',
      'asked for 30s, granted 4s',
    ],
    [
      'an access list keeps announcements from us',
      tree({ refused: ['/druid/internal-discovery/BROKER/a'] }),
      ['zk.access FAIL'],
      'zk.access',
      'without zookeeper.auth',
    ],
    [
      'the base path is another one',
      tree({ baseExists: false, nearMisses: ['/prod/druid'] }),
      ['zk.path FAIL'],
      'zk.path',
      '/prod/druid',
    ],
    [
      'the latch of Coordinators is elsewhere',
      tree({ latches: { ...TREE.latches, coordinator: null } }),
      ['zk.path FAIL'],
      'zk.path',
      'no latch of Coordinators',
    ],
    [
      'a znode is no announcement',
      tree({ unreadable: ['/druid/internal-discovery/BROKER/x has no druidNode'] }),
      ['zk.compression FAIL'],
      'zk.compression',
      'has no druidNode',
    ],
    ["ZooKeeper's clock is ahead", tree({ aheadMs: 90_000 }), ['zk.clock WARN'], 'zk.clock', '90 s'],
    [
      'a node is not allowed',
      tree({ notAllowed: ['evil:8082 has a name outside'] }),
      ['node.allowed WARN'],
      'node.allowed',
      'evil:8082',
    ],
    [
      'there is no Broker',
      { ...without('broker'), gateway: { ...HEALTHY.gateway } },
      ['node.roles FAIL', 'ha.brokers FAIL'],
      'node.roles',
      'no broker',
    ],
    [
      'a name is not known here',
      broker({ addresses: null, health: 'its name is not known here', readiness: 'not asked' }),
      ['node.names FAIL', 'node.answers FAIL', 'ha.brokers FAIL', 'ha.queryable WARN'],
      'node.names',
      '10.0.0.3:8082',
    ],
    [
      'a node announces a loopback address',
      { ...HEALTHY, nodes: [...NODES, node('historical', 'http://127.0.0.1:8083')] },
      ['node.names WARN'],
      'node.names',
      '127.0.0.1:8083',
    ],
    [
      'a Historical is down',
      {
        ...HEALTHY,
        nodes: [...NODES, node('historical', 'http://10.0.0.6:8083', { health: 'no connection' })],
      },
      ['node.answers WARN'],
      'node.answers',
      '10.0.0.6:8083: no connection',
    ],
    [
      'a certificate has another name',
      secured({ validTo: Date.now() + 90 * DAY, problem: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
      ['node.tls FAIL'],
      'node.tls',
      'ALTNAME',
    ],
    [
      'a certificate ends soon',
      secured({ validTo: Date.now() + 5.5 * DAY, problem: null }),
      ['node.certificates WARN'],
      'node.certificates',
      '5 days',
    ],
    [
      'a certificate has ended',
      secured({ validTo: Date.now() - DAY, problem: null }),
      ['node.certificates FAIL'],
      'node.certificates',
      'ended',
    ],
    [
      'two versions run',
      broker({ version: '32.0.1' }),
      ['node.versions WARN'],
      'node.versions',
      '32.0.1: 10.0.0.3:8082',
    ],
    [
      'a clock is a minute off',
      broker({ clockMs: -59_000 }),
      ['node.clocks WARN'],
      'node.clocks',
      '10.0.0.3:8082 -59 s',
    ],
    ['a clock is an hour off', broker({ clockMs: 3_600_000 }), ['node.clocks FAIL'], 'node.clocks', '3600 s'],
    [
      'a latch points nowhere',
      coordinators(leads(FIRST, { claim: 'refused', leader: { kind: 'silent' } }), follows(SECOND, FIRST)),
      ['lead.latch FAIL', 'lead.agree FAIL', 'ha.redirect FAIL'],
      'lead.latch',
      `points to ${FIRST}`,
    ],
    [
      'two say that they lead',
      coordinators(leads(FIRST), leads(SECOND, { leader: { kind: 'named', origin: FIRST } })),
      ['lead.rivals FAIL'],
      'lead.rivals',
      `the latch names ${FIRST}`,
    ],
    [
      'a follower names another leader',
      coordinators(leads(FIRST), follows(SECOND, FIRST, { leader: { kind: 'named', origin: SECOND } })),
      ['lead.agree FAIL'],
      'lead.agree',
      `${SECOND} names ${SECOND}`,
    ],
    [
      'a leader does not serve yet',
      coordinators(leads(FIRST, { claim: 'follows', redirectsTo: FIRST }), follows(SECOND, FIRST)),
      ['lead.agree FAIL', 'ha.redirect FAIL'],
      'lead.agree',
      'nobody says so',
    ],
    [
      'a follower redirects to nobody',
      coordinators(leads(FIRST), follows(SECOND, FIRST, { redirectsTo: null })),
      ['ha.redirect FAIL'],
      'ha.redirect',
      `${SECOND} redirects to nobody`,
    ],
    [
      'leaders change all the time',
      { ...HEALTHY, watched: { durationMs: 60_000, changes: { coordinator: 0, overlord: 5 } } },
      ['lead.stable FAIL'],
      'lead.stable',
      'Overlord: 5 changes in 1m',
    ],
    [
      'one Overlord',
      { ...HEALTHY, nodes: NODES.filter(({ origin }) => origin !== OVERLORDS[1]) },
      ['ha.overlords FAIL'],
      'ha.overlords',
      'there is one: 10.0.0.1:8090',
    ],
    [
      'metadata in Derby',
      store('derby', 'jdbc:derby://10.0.0.1:1527/druid;create=true'),
      ['ha.metadata FAIL'],
      'ha.metadata',
      'Derby',
    ],
    [
      'metadata in one PostgreSQL server',
      store('postgresql', 'jdbc:postgresql://db-1/druid'),
      ['ha.metadata WARN'],
      'ha.metadata',
      'jdbc:postgresql://db-1/druid',
    ],
    [
      'masters with different metadata stores',
      {
        ...HEALTHY,
        properties: [
          ...PROPERTIES.slice(1),
          properties(FIRST, 'coordinator', {
            'druid.metadata.storage.connector.connectURI': 'jdbc:mysql://other,db-3/druid',
          }),
        ],
      },
      ['ha.shared FAIL', 'ha.metadata-failover WARN'],
      'ha.shared',
      'jdbc:mysql://other,db-3/druid',
    ],
    [
      'a Broker is not ready',
      broker({ readiness: 503 }),
      ['ha.queryable WARN'],
      'ha.queryable',
      '10.0.0.3:8082: 503',
    ],
    [
      'the gateway follows another leader',
      status({
        leaders: {
          coordinator: { node: '10.0.0.2:8081', state: 'serving' },
          overlord: { node: '10.0.0.1:8090', state: 'elected' },
        },
      }),
      ['gw.view FAIL'],
      'gw.view',
      'overlord: 10.0.0.1:8090 is elected',
    ],
    [
      'the gateway has a Broker fewer',
      status({ brokers: [{ node: '10.0.0.3:8082', ready: true }] }),
      ['gw.view WARN'],
      'gw.view',
      '10.0.0.4:8082',
    ],
    [
      'the gateway is named and does not run',
      {
        ...HEALTHY,
        gateway: { where: 'http://gateway:9888', expected: true, status: null, detail: 'no connection' },
      },
      ['gw.answers FAIL'],
      'gw.answers',
      'http://gateway:9888: no connection',
    ],
    [
      'a setting is dangerous',
      configured({ DRUID_GATEWAY__UPSTREAM__TLS__VERIFY: 'false' }),
      ['gw.settings WARN'],
      'gw.settings',
      'upstream.tls.verify is false',
    ],
    [
      'requests wait too shortly',
      configured({ DRUID_GATEWAY__PARKING__MAX_WAIT: '10s' }),
      ['gw.waiting WARN'],
      'gw.waiting',
      'replaced after 30s',
    ],
    [
      'idle connections are kept too long',
      configured({ DRUID_GATEWAY__UPSTREAM__KEEP_ALIVE: '5m' }),
      ['gw.keepalive WARN'],
      'gw.keepalive',
      'the nodes 5m',
    ],
    [
      'answers are not waited for long enough',
      configured({ DRUID_GATEWAY__UPSTREAM__RESPONSE_TIMEOUT: '1m' }),
      ['gw.timeouts WARN'],
      'gw.timeouts',
      'queries may take 5m',
    ],
  ])('%s', (_, facts, diagnosis, id, words) => {
    expect(wrong(facts)).toEqual(diagnosis);
    expect(evidence(facts, id)).toContain(words);
  });
});

describe('what is not known is no fault', () => {
  test('a dead ZooKeeper fails in one check, and what needs it is skipped', () => {
    const servers = ZOOKEEPER.servers.map((one) => ({ ...dead, name: one.name }));
    const facts: Facts = {
      ...HEALTHY,
      zookeeper: { ...ZOOKEEPER, servers, members: null, tree: null },
      nodes: [],
      leadership: { coordinator: { latch: null, answers: [] }, overlord: { latch: null, answers: [] } },
      properties: [],
      guarded: null,
      watched: null,
      gateway: { ...HEALTHY.gateway, expected: false, status: null },
    };
    expect(wrong(facts)).toEqual(['zk.servers FAIL']);
  });

  test('a secured cluster without credentials tells less, and nothing wrong', () => {
    const guarded = (facts: Facts['leadership']['coordinator']): Facts['leadership']['coordinator'] => ({
      ...facts,
      answers: facts.answers.map((answer) => ({ ...answer, leader: { kind: 'guarded' } })),
    });
    const facts: Facts = {
      ...HEALTHY,
      nodes: NODES.map((one) => ({ ...one, version: null })),
      leadership: { coordinator: guarded(ledBy(COORDINATORS)), overlord: guarded(ledBy(OVERLORDS)) },
      properties: [],
      guarded: true,
    };
    expect(wrong(facts)).toEqual([]);
    expect(evidence(facts, 'ha.metadata')).toContain('--druid-user');
  });

  test('nodes of the configuration need no ZooKeeper', () => {
    const leadership = {
      coordinator: { ...ledBy(COORDINATORS), latch: null },
      overlord: { ...ledBy(OVERLORDS), latch: null },
    };
    expect(wrong({ ...HEALTHY, zookeeper: null, leadership })).toEqual([]);
  });
});

describe('a source other than ZooKeeper', () => {
  const inKubernetes = (change: Partial<KubernetesFacts> = {}): Facts => ({
    ...HEALTHY,
    zookeeper: null,
    kubernetes: { ...KUBERNETES, ...change },
  });
  const inConsul = (change: Partial<ConsulFacts> = {}): Facts => ({
    ...HEALTHY,
    zookeeper: null,
    consul: { ...CONSUL, ...change },
  });

  test('in which nothing is wrong passes', () => {
    expect([wrong(inKubernetes()), wrong(inConsul())]).toEqual([[], []]);
  });

  test.each<[string, Facts, readonly string[], string, string]>([
    [
      'the Kubernetes API refuses a right',
      inKubernetes({ problem: 'pods in druid: the API server answered 403' }),
      ['k8s.api FAIL'],
      'k8s.api',
      'answered 403',
    ],
    ['no pod has the label', inKubernetes({ pods: 0 }), ['k8s.pods FAIL'], 'k8s.pods', 'druid-prod'],
    ['a sidecar is not ready', inKubernetes({ notReady: ['b0'] }), ['k8s.ready WARN'], 'k8s.ready', 'b0'],
    [
      'a pod names a node that may not be used',
      inKubernetes({ faults: ['pod b0 is not https'] }),
      ['k8s.entries WARN'],
      'k8s.entries',
      'pod b0',
    ],
    ['Consul is away', inConsul({ problem: 'no' }), ['consul.api FAIL'], 'consul.api', 'no'],
    ['no service passes', inConsul({ nodes: 0 }), ['consul.services FAIL'], 'consul.services', 'druid-prod'],
    [
      'a name has no record',
      { ...HEALTHY, zookeeper: null, dns: { problem: null, nodes: 0, faults: [] } },
      ['dns.names FAIL'],
      'dns.names',
      'no name',
    ],
    ['a key is odd', inConsul({ faults: ['key x'] }), ['consul.entries WARN'], 'consul.entries', 'key x'],
    [
      'requests wait for less than an election in Kubernetes takes',
      configured({
        DRUID_GATEWAY__DISCOVERY__TYPE: 'kubernetes',
        DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: 'druid-prod',
        DRUID_GATEWAY__PARKING__MAX_WAIT: '40s',
      }),
      ['gw.waiting WARN'],
      'gw.waiting',
      'replaced after 80s',
    ],
    [
      'requests wait for less than an election with Consul takes',
      configured({
        DRUID_GATEWAY__DISCOVERY__TYPE: 'consul',
        DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: 'druid-prod',
        DRUID_GATEWAY__PARKING__MAX_WAIT: '90s',
      }),
      ['gw.waiting WARN'],
      'gw.waiting',
      'replaced after 105s',
    ],
  ])('%s', (_, facts, diagnosis, id, words) => {
    expect(wrong(facts)).toEqual(diagnosis);
    expect(evidence(facts, id)).toContain(words);
  });
});

describe('a report', () => {
  const check = (id: string, run: Check['run']): Check => ({
    id,
    title: 't',
    remedy: 'mend it',
    source: 's',
    run,
  });

  test('has a remedy where something is wrong, and none where nothing is', () => {
    const { checks } = examine(tree({ refused: ['/a'] }));
    for (const { result, remedy } of checks)
      expect(remedy !== '').toBe(result === 'WARN' || result === 'FAIL');
  });

  test('goes on when a check throws, and says so without its stack', () => {
    const errors: unknown[] = [];
    const broken = check('x.broken', () => {
      throw new Error('secret');
    });
    const groups = [{ name: 'x', title: 'X', checks: [broken, check('x.well', () => pass('well'))] }];
    const { checks, totals } = examine(HEALTHY, new Set(), (error) => errors.push(error), groups);
    expect(checks.map(({ result }) => result)).toEqual(['SKIP', 'PASS']);
    expect(checks[0]?.evidence).not.toContain('secret');
    expect([totals.skip, errors.length]).toEqual([1, 1]);
  });

  test('bounds and escapes what strangers say', () => {
    const said = `\u001b[2J\u202e\n${'x'.repeat(5_000)}`;
    const groups = [{ name: 'x', title: 'X', checks: [check('x.y', () => fail(said))] }];
    const [first] = examine(HEALTHY, new Set(), () => {}, groups).checks;
    expect(first?.evidence).toMatch(/^\\u\{1b\}\[2J\\u\{202e\}\\u\{a\}x+…$/);
    expect(first?.evidence.length).toBeLessThan(1_100);
  });

  test('fails with a FAIL, and with --strict with a WARN, too', () => {
    const warned = examine(tree({ aheadMs: 90_000 }));
    expect([hasFailed(warned, false), hasFailed(warned, true)]).toEqual([false, true]);
    expect(hasFailed(examine(tree({ refused: ['/a'] })), false)).toBe(true);
    expect(hasFailed(examine(HEALTHY), true)).toBe(false);
  });

  test('leaves out what is skipped, by id or by group', () => {
    const skipped = new Set([...idsOf('zk.access'), ...idsOf('ha'), ...idsOf('gw.*')]);
    const { checks, totals } = examine(tree({ refused: ['/a'] }), skipped);
    expect(totals.fail).toBe(0);
    expect(checks.filter(({ evidence }) => evidence === 'skipped as asked').map(({ id }) => id)).toEqual([
      ...skipped,
    ]);
    expect(idsOf('zk.acces')).toEqual([]);
  });
});

test('ids are unique, begin with their group, and never change', () => {
  const ids = GROUPS.flatMap(({ name, checks }) => checks.map(({ id }) => [name, id] as const));
  for (const [name, id] of ids) expect(id.split('.')[0]).toBe(name);
  expect(ids.map(([, id]) => id).join(' ')).toBe(
    'zk.servers zk.ensemble zk.session zk.tls zk.access zk.path zk.compression zk.clock ' +
      'node.roles node.allowed node.names node.answers node.tls node.certificates node.versions node.clocks ' +
      'lead.latch lead.agree lead.rivals lead.stable ' +
      'ha.zookeeper ha.metadata ha.coordinators ha.overlords ha.shared ha.redirect ha.brokers ha.queryable ha.balancer ' +
      'ha.metadata-servers ha.metadata-primary ha.metadata-tables ha.metadata-same ha.metadata-replicas ha.metadata-lag ' +
      'ha.metadata-synchronous ha.metadata-failover ha.metadata-connections ha.metadata-version ha.metadata-charset ' +
      'gw.answers gw.view gw.settings gw.waiting gw.keepalive gw.timeouts ' +
      'k8s.api k8s.pods k8s.ready k8s.entries consul.api consul.services consul.entries dns.names dns.entries',
  );
});

test('no check throws, whatever strangers say of themselves', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const maybe = fc.option(text, { nil: null });
  const change = fc.record({
    version: maybe,
    health: fc.oneof(text, fc.integer()),
    clockMs: fc.option(fc.integer(), { nil: null }),
    latencyMs: fc.option(fc.nat(), { nil: null }),
    certificate: fc.option(fc.record({ validTo: fc.option(fc.integer(), { nil: null }), problem: maybe }), {
      nil: null,
    }),
    readiness: fc.oneof(text, fc.integer(), fc.constant(null)),
  });
  const values = fc.dictionary(
    fc.constantFrom(
      'druid.metadata.storage.type',
      'druid.metadata.storage.connector.connectURI',
      'druid.zk.service.host',
      'druid.server.http.maxIdleTime',
      'druid.zk.service.sessionTimeoutMs',
    ),
    text,
  );
  fc.assert(
    fc.property(change, values, fc.array(text), (changed, said, lists) => {
      const errors: unknown[] = [];
      const facts: Facts = {
        ...HEALTHY,
        zookeeper: {
          ...ZOOKEEPER,
          tree: { ...TREE, refused: lists, unreadable: lists, notAllowed: lists, nearMisses: lists },
        },
        kubernetes: { ...KUBERNETES, problem: changed.version, notReady: lists, faults: lists },
        consul: { ...CONSUL, problem: changed.version, faults: lists },
        nodes: NODES.map((one) => ({ ...one, ...changed })),
        properties: [{ origin: FIRST, roles: ['coordinator'], values: said }, ...PROPERTIES],
      };
      const { checks } = examine(facts, new Set(), (error) => errors.push(error));
      expect(errors).toEqual([]);
      for (const { evidence: shown } of checks) expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});
