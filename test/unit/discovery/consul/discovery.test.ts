import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ConsulDiscoveryOptions,
  createConsulDiscovery,
} from '../../../../src/discovery/consul/discovery.ts';
import { keyPath, parseLeaderKey, parseServices } from '../../../../src/discovery/consul/entries.ts';
import type { Discovery } from '../../../../src/discovery/discovery.ts';
import { type FakeConsul, startFakeConsul } from '../../../kit/consul/fake-consul.ts';
import { LEADER_KEYS, PREFIX } from '../../../kit/discovery/consul-rig.ts';
import { hostsOf, leaderOf, termOf, until } from '../../../kit/discovery/source-suite.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { nodeInfo } from '../../../kit/kubernetes/druid-pods.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-consul-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BROKERS = `${PREFIX}-broker`;
let consul: FakeConsul;
let errors: ReturnType<typeof recordErrors>;
const open: Discovery[] = [];

beforeEach(async () => {
  consul = await startFakeConsul();
  errors = recordErrors();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
  await consul.close();
  expect(errors.lines).toEqual([]);
});

function discover(options: Partial<ConsulDiscoveryOptions> = {}): Discovery {
  const discovery = createConsulDiscovery({
    server: consul.url,
    tokenFile: null,
    caFile: null,
    servicePrefix: PREFIX,
    leaderKeys: LEADER_KEYS,
    maxDelayMs: 20,
    requestMs: 1_000,
    errors,
    ...options,
  });
  open.push(discovery);
  discovery.start();
  return discovery;
}

const connected = (discovery: Discovery) => (): boolean =>
  discovery.snapshot.complete && discovery.status.state === 'connected';

/** An announcement in the metadata of its service. */
function short(host: string): void {
  consul.register(BROKERS, `${BROKERS}-${host}-8082`, { druid_node: nodeInfo('broker', host, 8082) });
}

test('asks for its own services and keys alone, in its datacenter', async () => {
  const discovery = discover({ datacenter: 'dc2' });
  await until(discovery, connected(discovery));
  const asked = new Set(consul.requests.map(({ path, query }) => `${path} ${query.get('dc')}`));
  expect([...asked].toSorted()).toEqual([
    '/v1/health/service/druid-test-broker dc2',
    '/v1/health/service/druid-test-coordinator dc2',
    '/v1/health/service/druid-test-overlord dc2',
    '/v1/kv/druid/leader/coordinator dc2',
    '/v1/kv/druid/leader/overlord dc2',
  ]);
});

test('takes announcements from metadata and from keys, and services that pass alone', async () => {
  short('10.0.0.1');
  consul.putKey(`${PREFIX}/nodes/b2`, nodeInfo('broker', '10.0.0.2', 8082));
  consul.register(BROKERS, 'b2', { druid_node_kv: `${PREFIX}/nodes/b2` });
  consul.register(BROKERS, 'b3', { druid_node: nodeInfo('broker', '10.0.0.3', 8082) }, false);
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082', '10.0.0.2:8082']);
});

test('hundreds of keys that are read make a few snapshots, and not one each', async () => {
  for (let i = 0; i < 300; i++) {
    consul.putKey(`${PREFIX}/nodes/b${i}`, nodeInfo('broker', `10.0.${i >> 8}.${i & 255}`, 8082));
    consul.register(BROKERS, `b${i}`, { druid_node_kv: `${PREFIX}/nodes/b${i}` });
  }
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toHaveLength(300);
  expect(discovery.snapshot.version).toBeLessThan(50);
});

test('a key that is missing leaves its service out, and is asked for again', async () => {
  consul.register(BROKERS, 'b1', { druid_node_kv: `${PREFIX}/nodes/b1` });
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual([]);
  consul.putKey(`${PREFIX}/nodes/b1`, nodeInfo('broker', '10.0.0.1', 8082));
  await until(discovery, () => hostsOf(discovery).length === 1);
});

test.each([
  'secrets/of/others',
  `${PREFIX}/nodes/../../secrets`,
  `${PREFIX}/nodes/..`,
  `${PREFIX}/nodes/b/../../../secrets`,
  `${PREFIX}x/nodes/b`,
])('the key %s is not asked for with our token', async (key) => {
  for (const one of [key, 'secrets']) consul.putKey(one, nodeInfo('broker', '10.0.0.1', 8082));
  consul.register(BROKERS, 'b1', { druid_node_kv: key });
  const discovery = discover();
  const faults: string[] = [];
  discovery.on('fault', (fault) => faults.push(fault));
  await until(discovery, connected(discovery));
  // As they came, since a path with dots may be made another one on its way.
  expect(consul.requests.filter(({ target }) => /secrets|nodes|\.\./.test(target))).toEqual([]);
  expect([hostsOf(discovery), faults]).toEqual([[], ['service b1 has no announcement']]);
});

test('whatever key a service names, what is asked for is below its prefix', () => {
  const step = fc.constantFrom(
    '..',
    '.',
    '',
    'b',
    '%2e%2e',
    '.%2E',
    '..\\..',
    '..;',
    'b?x',
    '#',
    '\u0000',
    '…',
  );
  let asked = 0;
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const key = ['druid', 'nodes', ...steps].join('/');
      const [entry] =
        parseServices([{ Service: { ID: 'b', Meta: { druid_node_kv: key } } }], 'druid/nodes/') ?? [];
      if (entry?.node == null || !('key' in entry.node)) return;
      asked++;
      expect(new URL(keyPath(entry.node.key), 'http://consul').pathname).toMatch(/^\/v1\/kv\/druid\/nodes\//);
    }),
  );
  expect(asked).toBeGreaterThan(0);
});

describe('an election', () => {
  test('has a term by the index at which its key was made', async () => {
    consul.acquire(LEADER_KEYS.coordinator, 'http://c1:8081');
    const discovery = discover();
    await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
    const term = termOf(discovery);
    consul.acquire(LEADER_KEYS.coordinator, 'http://c1:8081');
    await until(discovery, () => (termOf(discovery) ?? 0) > (term ?? 0));
    expect(leaderOf(discovery)).toBe('http://c1:8081');
  });

  test('whose key no session holds has no leader', async () => {
    consul.putKey(LEADER_KEYS.coordinator, 'http://c1:8081');
    const discovery = discover();
    await until(discovery, connected(discovery));
    expect(leaderOf(discovery)).toBe(null);
  });

  test('whose key names nobody by a URL has a leader without a name', async () => {
    consul.acquire(LEADER_KEYS.coordinator, 'somebody');
    const discovery = discover();
    const faults: string[] = [];
    discovery.on('fault', (fault) => faults.push(fault));
    await until(discovery, connected(discovery));
    expect(discovery.snapshot.latches?.coordinator.participants).toMatchObject([{ origin: null }]);
    expect(faults).toEqual(['key druid/leader/coordinator names no node by a URL']);
  });
});

describe('Consul', () => {
  test('has indexes that go back: everything is read anew', async () => {
    short('10.0.0.1');
    const discovery = discover();
    await until(discovery, connected(discovery));
    await expect.poll(() => consul.waiting).toBe(5);
    const before = consul.requests.length;
    consul.rewind();
    short('10.0.0.2');
    await until(discovery, () => hostsOf(discovery).length === 2);
    // As Consul's documentation asks of clients ("Blocking Queries").
    const [first] = consul.requests.slice(before).filter(({ path }) => path.includes('broker'));
    expect(first?.query.get('index')).toBe(null);
  });

  test('has no leader of its own: what was known stays, and is not called current', async () => {
    short('10.0.0.1');
    const discovery = discover();
    await until(discovery, connected(discovery));
    consul.leaderless = true;
    consul.cut();
    // Questions that were cut off say so first.
    await until(
      discovery,
      () => discovery.status.detail?.includes('Consul answered 500: No cluster leader') === true,
    );
    expect(discovery.status.state).toBe('suspended');
    expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
    consul.leaderless = false;
    await until(discovery, connected(discovery));
  });

  test('wants a token, which is read again for each request', async () => {
    consul.tokens = new Map([['right', ['services', 'keys']]]);
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'wrong\n');
    const discovery = discover({ tokenFile });
    await until(discovery, () => discovery.status.detail !== null);
    expect(discovery.status.detail).toContain('answered 403: ACL not found');
    writeFileSync(tokenFile, 'right\n');
    await until(discovery, connected(discovery));
  });

  test('says nothing: that is noticed when a held answer is overdue', async () => {
    const discovery = discover({ requestMs: 200, waitS: 1 });
    await until(discovery, connected(discovery));
    const began = performance.now();
    consul.frozen = true;
    await until(discovery, () => discovery.status.state === 'suspended');
    expect(discovery.status.detail).toContain('did not answer in time');
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['no index', {}, '[]'],
    ['an index of 0', { 'x-consul-index': '0' }, '[]'],
    ['no JSON', { 'x-consul-index': '7' }, '<html>'],
    ['no list', { 'x-consul-index': '7' }, '{}'],
    ['no leader', { 'x-consul-index': '7', 'x-consul-knownleader': 'false' }, '[]'],
    ['an old word of its leader', { 'x-consul-index': '7', 'x-consul-lastcontact': '60000' }, '[]'],
  ])('answers with %s: what was known stays, and it is asked again', async (_, headers, body) => {
    short('10.0.0.1');
    const discovery = discover();
    await until(discovery, connected(discovery));
    let odd = 0;
    consul.script = ({ path }, response) => {
      if (!path.includes('broker') || odd++ > 2) return false;
      response.writeHead(200, headers).end(body);
      return true;
    };
    consul.cut();
    await until(discovery, () => discovery.status.state === 'suspended' && odd > 0);
    expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
    await until(discovery, connected(discovery));
  });
});

test('whatever Consul sends, it is parsed without an error', () => {
  const key = fc.constantFrom('Service', 'ID', 'Meta', 'druid_node', 'Session', 'Value', 'CreateIndex');
  fc.assert(
    fc.property(fc.array(fc.object({ key })), (list) => {
      parseServices(list, 'druid/nodes/');
      parseLeaderKey(list);
    }),
  );
  expect(parseServices({}, 'druid/nodes/')).toBe(null);
  expect(parseLeaderKey('nonsense')).toMatchObject({ fault: 'holds no entry' });
});
