import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { examine, type Report } from '../../../src/doctor/examine.ts';
import type { Facts } from '../../../src/doctor/facts.ts';
import { type GatherOptions, gatherFacts } from '../../../src/doctor/gather.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { CLUSTER, Election, NAMESPACE, podOf } from '../../kit/kubernetes/druid-pods.ts';
import { type FakeApiServer, startFakeApiServer } from '../../kit/kubernetes/fake-api-server.ts';
import { makeCertificates } from '../../kit/net/certificates.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';
import { startScriptedZooKeeper } from '../../kit/zookeeper/scripted-zookeeper.ts';

const closing: (() => Promise<unknown>)[] = [];
/** What each node answers to a path; 404 to any other. */
type Answers = Record<string, Buffer>;

let nodes: FakeUpstream[];

beforeEach(() => {
  nodes = [];
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function node(answers: (self: FakeUpstream) => Answers): Promise<FakeUpstream> {
  const upstream = await startUpstream(({ target }, socket) => {
    socket.write(answers(upstream)[target] ?? plain('404 Not Found', [], ''));
  });
  closing.push(() => upstream.close());
  nodes.push(upstream);
  return upstream;
}

const date = (ms = 0): string => `Date: ${new Date(Date.now() + ms).toUTCString()}`;
const healthy = (ms = 0): Buffer => plain('200 OK', [date(ms)], 'true');

const NAMES = { coordinator: 'coordinator', overlord: 'indexer' } as const;
type Master = keyof typeof NAMES;

function leading(role: Master, more: Answers = {}): Promise<FakeUpstream> {
  const base = `/druid/${NAMES[role]}/v1`;
  return node(({ origin }) => ({
    '/status/health': healthy(),
    [`${base}/isLeader`]: json({ leader: true }),
    [`${base}/leader`]: plain('200 OK', [], origin),
    '/status': json({ version: '33.0.0' }),
    '/status/properties': json(PROPERTIES),
    ...more,
  }));
}

function following(role: Master, leader: FakeUpstream, more: Answers = {}): Promise<FakeUpstream> {
  const base = `/druid/${NAMES[role]}/v1`;
  return node(() => ({
    '/status/health': healthy(),
    [`${base}/isLeader`]: json({ leader: false }, '404 Not Found'),
    [`${base}/leader`]: plain('200 OK', [], leader.origin),
    [`${base}/isLeader/`]: plain(
      '307 Temporary Redirect',
      [`Location: ${leader.origin}${base}/isLeader/`],
      '',
    ),
    '/status': json({ version: '33.0.0' }),
    '/status/properties': json(PROPERTIES),
    ...more,
  }));
}

function broker(more: Answers = {}): Promise<FakeUpstream> {
  return node(() => ({
    '/status/health': healthy(),
    '/druid/broker/v1/readiness': plain('200 OK', [], ''),
    '/status': json({ version: '33.0.0' }),
    '/status/properties': json(PROPERTIES),
    ...more,
  }));
}

const PROPERTIES = {
  'druid.zk.service.host': 'zk-1',
  'druid.metadata.storage.type': 'mysql',
  'druid.metadata.storage.connector.connectURI': 'jdbc:mysql:replication://a,b/druid?password=very-secret',
  'druid.metadata.storage.connector.password': 'very-secret',
};

async function facts(
  [coordinators, overlords, brokers]: readonly (readonly FakeUpstream[])[],
  change: Partial<GatherOptions> = {},
): Promise<Facts> {
  const urls = (some: readonly FakeUpstream[] = []): string =>
    JSON.stringify(some.map(({ origin }) => origin));
  const config = loadConfig({
    environment: {
      DRUID_GATEWAY__DISCOVERY__TYPE: 'static',
      DRUID_GATEWAY__STATIC__COORDINATORS: urls(coordinators),
      DRUID_GATEWAY__STATIC__OVERLORDS: urls(overlords),
      DRUID_GATEWAY__STATIC__BROKERS: urls(brokers),
    },
  });
  return gatherFacts({
    config,
    zookeeper: null,
    headers: {},
    watchMs: 0,
    store: null,
    gateway: { where: 'a test', expected: false, read: () => Promise.reject(new Error('no gateway')) },
    ...change,
  });
}

function wrong(report: Report): string[] {
  return report.checks
    .filter(({ result }) => result === 'WARN' || result === 'FAIL')
    .map(({ id, result }) => `${id} ${result}`);
}

/** A whole cluster; what is given replaces answers of the first of each role. */
async function cluster(more: { follower?: Answers; broker?: Answers } = {}): Promise<FakeUpstream[][]> {
  const coordinator = await leading('coordinator');
  const overlord = await leading('overlord');
  return [
    [coordinator, await following('coordinator', coordinator, more.follower)],
    [overlord, await following('overlord', overlord)],
    [await broker(more.broker), await broker()],
  ];
}

test('of a healthy cluster everything is learnt, and nothing is wrong', async () => {
  const found = await facts(await cluster());
  const report = examine(found);
  expect(wrong(report)).toEqual([]);
  expect(found.guarded).toBe(false);
  expect(found.nodes.map(({ version }) => version)).toEqual(Array(6).fill('33.0.0'));
  expect(JSON.stringify(found.properties)).not.toContain('connector.password');
  expect(JSON.stringify(report)).not.toContain('very-secret');
  expect(JSON.stringify(report)).toContain('jdbc:mysql:replication://a,b/druid');
});

test('nothing is changed: every request is a GET without a body', async () => {
  await facts(await cluster());
  const requests = nodes.flatMap((one) => one.requests);
  expect(requests.length).toBeGreaterThan(20);
  for (const { method, body } of requests) expect([method, body.length]).toEqual(['GET', 0]);
});

describe('what Druid guards', () => {
  const refused = plain('401 Unauthorized', ['WWW-Authenticate: Basic'], '');
  const guard = async (): Promise<FakeUpstream[][]> => {
    const guarded = (role: Master): Answers => ({
      [`/druid/${NAMES[role]}/v1/leader`]: refused,
      '/status': refused,
      '/status/properties': refused,
    });
    return [
      [await leading('coordinator', guarded('coordinator'))],
      [await leading('overlord', guarded('overlord'))],
      [],
    ];
  };
  const asked = (path: string) =>
    nodes.flatMap((one) => one.requests.filter(({ target }) => target === path));

  test('is not asked for without credentials, once one node wants them', async () => {
    const found = await facts(await guard());
    expect(found.guarded).toBe(true);
    expect([asked('/status').length, asked('/status/properties').length]).toEqual([0, 0]);
  });

  test('is asked for with credentials, and what anybody may ask is asked without', async () => {
    const authorization = 'Basic dTpw';
    await facts(await guard(), { headers: { authorization } });
    for (const path of ['/status', '/status/properties', '/druid/coordinator/v1/leader']) {
      expect(asked(path).map((request) => request.header('authorization'))).toContain(authorization);
    }
    for (const path of ['/status/health', '/druid/coordinator/v1/isLeader']) {
      expect(asked(path).map((request) => request.header('authorization'))).toEqual(
        asked(path).map(() => undefined),
      );
    }
  });
});

describe('is told', () => {
  test('a clock that is off, by the Date of an answer', async () => {
    const found = await facts(await cluster({ broker: { '/status/health': healthy(-120_000) } }));
    expect(wrong(examine(found))).toEqual(['node.clocks FAIL']);
  });

  test('a master that redirects to nobody', async () => {
    const report = examine(
      await facts(
        await cluster({ follower: { '/druid/coordinator/v1/isLeader/': plain('200 OK', [], '') } }),
      ),
    );
    expect(wrong(report)).toEqual(['ha.redirect FAIL']);
  });

  test('two that say they lead', async () => {
    const alone = await leading('overlord');
    const two = [await leading('coordinator'), await leading('coordinator')];
    const report = examine(await facts([two, [alone], [await broker(), await broker()]]));
    expect(wrong(report)).toEqual(['lead.agree FAIL', 'lead.rivals FAIL', 'ha.overlords FAIL']);
  });

  test('an answer that is no status of a gateway', async () => {
    const gateway = { where: 'x', expected: true, read: async () => '<html>' };
    const report = examine(await facts(await cluster(), { gateway }));
    expect(wrong(report)).toEqual(['gw.answers FAIL']);
  });

  test('how often the leader changes while doctor watches', async () => {
    const [coordinators = [], ...others] = await cluster();
    const [first, second] = coordinators;
    if (first === undefined || second === undefined) throw new Error('there are two');
    let asks = 0;
    const leads = json({ leader: true });
    const not = json({ leader: false }, '404 Not Found');
    // Whoever is asked first says yes every other round.
    for (const [one, turn] of [
      [first, 0],
      [second, 1],
    ] as const) {
      const before = one.script;
      one.script = (request, socket) => {
        if (request.target !== '/druid/coordinator/v1/isLeader') return before(request, socket);
        socket.write(Math.floor(asks++ / 2) % 2 === turn ? leads : not);
      };
    }
    const { watched } = await facts([coordinators, ...others], { watchMs: 2_500 });
    expect(watched?.changes.coordinator).toBeGreaterThanOrEqual(1);
    expect(watched?.changes.overlord).toBe(0);
  });
});

test('a certificate for another name is told with its end, although the node is not trusted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-doctor-'));
  closing.push(() => rm(folder, { recursive: true }));
  const { ca, server } = await makeCertificates(folder);
  const both = readFileSync(server, 'utf8');
  const secure = createServer({ cert: both, key: both }, (_, response) => response.end('true'));
  secure.listen(0, '127.0.0.2');
  await once(secure, 'listening');
  closing.push(async () => secure.close());
  const origin = `https://127.0.0.2:${(secure.address() as AddressInfo).port}`;
  const other = { origin } as FakeUpstream;
  const found = await facts([[], [], [other]], {
    tls: { ca: readFileSync(ca, 'utf8'), rejectUnauthorized: true },
  });
  const report = examine(found);
  const said = (id: string) => report.checks.find((check) => check.id === id);
  expect(said('node.tls')).toMatchObject({ result: 'FAIL', evidence: expect.stringContaining('ALTNAME') });
  expect(said('node.certificates')).toMatchObject({
    result: 'WARN',
    evidence: expect.stringContaining('1 days'),
  });
  expect(said('node.answers')).toMatchObject({
    result: 'FAIL',
    evidence: expect.stringContaining('not trusted'),
  });
});

test('a ZooKeeper and nodes that say nothing are told in good time', async () => {
  const zookeeper = await startScriptedZooKeeper();
  zookeeper.frozen = true;
  closing.push(() => zookeeper.close());
  const silent = await startUpstream(() => {});
  closing.push(() => silent.close());
  const began = performance.now();
  const errors = recordErrors();
  const target = {
    servers: Array.from({ length: 3 }, () => ({ host: '127.0.0.1', port: zookeeper.port })),
    chroot: null,
    sessionTimeoutMs: 30_000,
    credentials: null,
    tls: null,
    basePath: '/druid',
    coordinatorPath: '/druid/coordinator',
    refusal: () => null,
    errors,
  };
  const many = Array.from({ length: 150 }, (_, i) => ({
    origin: silent.origin.replace('127.0.0.1', `127.0.0.${i + 1}`),
  }));
  const found = await facts([[silent, ...(many as FakeUpstream[])], [silent], many as FakeUpstream[]], {
    zookeeper: target,
    gateway: { where: 'silent', expected: false, read: () => new Promise(() => {}) },
  });
  // Less than the 20 s that are promised: here some steps have nothing to wait for.
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(examine(found).checks.find(({ id }) => id === 'zk.servers')?.result).toBe('FAIL');
  expect(errors.lines).toEqual([]);
});

test('of more nodes than are asked, the others are counted and not called ill', async () => {
  const alone = await leading('coordinator');
  const brokers = Array.from({ length: 250 }, (_, i) => ({
    origin: alone.origin.replace('127.0.0.1', `127.0.1.${i + 1}`),
  }));
  const found = await facts([[alone], [], brokers as FakeUpstream[]]);
  expect(found.nodes).toHaveLength(251);
  expect(found.nodes.filter(({ health }) => health === 'not asked').length).toBeGreaterThanOrEqual(51);
  expect(found.nodes[0]).toMatchObject({ origin: alone.origin, health: 200 });
});

test('bodies without an end and of any form do no harm', async () => {
  const endless = Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
    Buffer.from('fffff\r\n'),
    Buffer.alloc(0xfffff, 'x'),
  ]);
  const odd = await leading('coordinator', {
    '/druid/coordinator/v1/leader': plain('200 OK', ['Date: never'], '"\u001b[2J"'),
    '/status': json([1, 2]),
    '/status/properties': endless,
    '/status/health': plain('200 OK', ['Date: x'], 'x'.repeat(100_000)),
  });
  const found = await facts([[odd], [], []]);
  expect(found.leadership.coordinator.answers[0]?.leader).toEqual({ kind: 'none' });
  expect(found.nodes[0]).toMatchObject({ version: null, clockMs: null });
  expect(found.properties).toEqual([]);
  expect(() => examine(found)).not.toThrow();
});

describe('a cluster in Kubernetes', () => {
  async function seen(api: FakeApiServer, more: Readonly<Record<string, string>> = {}): Promise<Facts> {
    return gatherFacts({
      config: loadConfig({
        environment: {
          DRUID_GATEWAY__DISCOVERY__TYPE: 'kubernetes',
          DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: CLUSTER,
          ...more,
        },
      }),
      zookeeper: null,
      headers: {},
      watchMs: 0,
      store: null,
      gateway: { where: 'a test', expected: false, read: () => Promise.reject(new Error('no gateway')) },
      sources: [
        {
          kind: 'kubernetes',
          options: {
            server: api.url,
            tokenFile: null,
            caFile: null,
            clusterIdentifier: CLUSTER,
            namespace: NAMESPACE,
            address: 'podIP',
            errors: recordErrors(),
          },
        },
      ],
    });
  }

  test('that cannot be read is examined by the source that is believed next', async () => {
    const api = await startFakeApiServer();
    const coordinator = await leading('coordinator');
    const fallback = {
      DRUID_GATEWAY__DISCOVERY__FALLBACK: 'dns,static',
      DRUID_GATEWAY__STATIC__COORDINATORS: coordinator.origin,
      DRUID_GATEWAY__DNS__COORDINATORS: '_http._tcp.druid',
    };
    const whole = await seen(api, fallback);
    expect([whole.nodes, whole.leadership.coordinator.latch]).toEqual([[], []]);
    await api.close();
    const found = await seen(api, fallback);
    expect(found.nodes).toMatchObject([{ origin: coordinator.origin, health: 200 }]);
    expect(found.leadership.coordinator).toMatchObject({ latch: null, answers: [{ claim: 'leads' }] });
    const { checks } = examine(found);
    expect(checks.find(({ id }) => id === 'k8s.api')?.result).toBe('FAIL');
    const groups = new Set(checks.map(({ id }) => id.split('.')[0]));
    expect([...groups]).toEqual(['node', 'lead', 'ha', 'gw', 'k8s']);
    expect(checks.map(({ id }) => id)).not.toContain('ha.zookeeper');
    expect(examine(found, new Set(['zk.servers'])).checks).toEqual(checks);
  });

  test('is read as the gateway reads it, nodes at their pods included', async () => {
    const api = await startFakeApiServer();
    closing.push(() => api.close());
    const coordinator = await node(() => ({
      '/status/health': healthy(),
      '/druid/coordinator/v1/isLeader': json({ leader: true }),
    }));
    const host = 'c0.druid.invalid';
    const pod = podOf('c0', { roles: ['coordinator'], host, port: coordinator.port, podIP: '127.0.0.1' });
    api.put('pods', NAMESPACE, pod);
    const unready = podOf('b0', { roles: ['broker'], host: 'b0', port: 8082, ready: [true, false] });
    api.put('pods', NAMESPACE, unready);
    await new Election(api, 'coordinator').elect(`http://${host}:${coordinator.port}`);
    const { kubernetes, nodes: known, leadership } = await seen(api);
    expect(kubernetes).toMatchObject({ problem: null, pods: 2, notReady: ['b0'], faults: [] });
    expect(known).toMatchObject([{ hostAndPort: `${host}:${coordinator.port}`, health: 200 }]);
    expect(leadership.coordinator).toMatchObject({
      latch: [{ origin: `http://${host}:${coordinator.port}` }],
      answers: [{ claim: 'leads' }],
    });
  });

  test('whose API refuses us is told so', async () => {
    const api = await startFakeApiServer();
    closing.push(() => api.close());
    api.denied.add('list pods');
    const { kubernetes } = await seen(api);
    expect(kubernetes?.problem).toContain('answered 403: pods is forbidden');
  });
});
