import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOriginRefusal } from '../../../../src/discovery/allowed-origins.ts';
import {
  createKubernetesDiscovery,
  type KubernetesDiscovery,
  type KubernetesDiscoveryOptions,
} from '../../../../src/discovery/kubernetes/discovery.ts';
import { hostsOf, leaderOf, termOf, until } from '../../../kit/discovery/source-suite.ts';
import { eventually } from '../../../kit/eventually.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { CLUSTER, Election, NAMESPACE, podOf } from '../../../kit/kubernetes/druid-pods.ts';
import {
  type FakeApiServer,
  type Kind,
  startFakeApiServer,
} from '../../../kit/kubernetes/fake-api-server.ts';
import { makeCertificates } from '../../../kit/net/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-kubernetes-'));
afterAll(() => rmSync(folder, { recursive: true }));

let api: FakeApiServer;
let errors: ReturnType<typeof recordErrors>;
const open: KubernetesDiscovery[] = [];

beforeEach(async () => {
  api = await startFakeApiServer();
  errors = recordErrors();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
  await api.close();
  expect(errors.lines).toEqual([]);
});

function discover(options: Partial<KubernetesDiscoveryOptions> = {}): KubernetesDiscovery {
  const discovery = createKubernetesDiscovery({
    server: api.url,
    tokenFile: null,
    caFile: null,
    clusterIdentifier: CLUSTER,
    namespace: NAMESPACE,
    address: 'announced',
    maxDelayMs: 20,
    requestMs: 1_000,
    errors,
    ...options,
  });
  open.push(discovery);
  discovery.start();
  return discovery;
}

function broker(host: string, more: { ready?: readonly boolean[]; podIP?: string } = {}): void {
  const name = `broker-${host.replaceAll('.', '-')}`;
  api.put('pods', NAMESPACE, podOf(name, { roles: ['broker'], host, port: 8082, ...more }));
}

const connected = (discovery: KubernetesDiscovery) => (): boolean =>
  discovery.snapshot.complete && discovery.status.state === 'connected';

/** The requests for one kind, lists or watches. */
function asked(kind: string, watch: boolean): number {
  return api.requests.filter(
    ({ path, query }) => path.endsWith(kind) && (query.get('watch') === 'true') === watch,
  ).length;
}

test('asks for the pods of its cluster alone, and for two ConfigMaps by name', async () => {
  broker('10.0.0.1');
  const other = podOf('other', { roles: ['broker'], host: '10.0.0.2', port: 8082 });
  const labels = { ...other.metadata.labels, 'druidDiscoveryAnnouncement-cluster-identifier': 'other' };
  api.put('pods', NAMESPACE, { ...other, metadata: { ...other.metadata, labels } });
  api.put('pods', 'elsewhere', podOf('far', { roles: ['broker'], host: '10.0.0.3', port: 8082 }));
  const discovery = discover({ leaderNamespaces: { overlord: 'masters' } });
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
  const lists = api.requests.filter(({ query }) => query.get('watch') !== 'true');
  expect(
    lists
      .map(({ path, query }) => `${path} ${query.get('labelSelector') ?? query.get('fieldSelector')}`)
      .toSorted(),
  ).toEqual([
    `/api/v1/namespaces/druid/configmaps metadata.name=${CLUSTER}-leaderelection-coordinator`,
    `/api/v1/namespaces/druid/pods druidDiscoveryAnnouncement-cluster-identifier=${CLUSTER}`,
    `/api/v1/namespaces/masters/configmaps metadata.name=${CLUSTER}-leaderelection-overlord`,
  ]);
});

test('a pod that is not ready does not count, and does again when it is', async () => {
  broker('10.0.0.1');
  broker('10.0.0.2', { ready: [true, false] });
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
  broker('10.0.0.2', { ready: [true, true] });
  await until(discovery, () => hostsOf(discovery).length === 2);
  broker('10.0.0.1', { ready: [false] });
  await until(discovery, () => hostsOf(discovery).length === 1);
  expect(hostsOf(discovery)).toEqual(['10.0.0.2:8082']);
});

test('a pod that has lost its labels is gone, as if it were removed', async () => {
  broker('10.0.0.1');
  const discovery = discover();
  await until(discovery, () => hostsOf(discovery).length === 1);
  api.put('pods', NAMESPACE, { metadata: { name: 'broker-10-0-0-1', labels: { app: 'druid' } } });
  await until(discovery, () => hostsOf(discovery).length === 0);
});

test('many pods are listed in pages', async () => {
  for (let i = 0; i < 250; i++) broker(`10.2.0.${i}`);
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toHaveLength(250);
  expect(asked('/pods', false)).toBe(3);
});

describe('an election', () => {
  test('whose record stops to change has no leader after its lease, and has one when it changes again', async () => {
    const election = new Election(api, 'coordinator', 1);
    await election.elect('http://c1:8081');
    const discovery = discover();
    await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
    const began = performance.now();
    await until(discovery, () => leaderOf(discovery) === null);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(discovery.status.state).toBe('connected');
    await election.renew();
    await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
    expect(termOf(discovery)).toBe(0);
  });

  test('whose record is renewed keeps its leader for longer than one lease', async () => {
    const election = new Election(api, 'coordinator', 1);
    await election.elect('http://c1:8081');
    const discovery = discover();
    await until(discovery, connected(discovery));
    const leaders = new Set<string | null>();
    discovery.on('snapshot', () => leaders.add(leaderOf(discovery)));
    const renewing = setInterval(() => void election.renew(), 200);
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    clearInterval(renewing);
    expect([...leaders]).toEqual([]);
  });

  test('that begins anew in another ConfigMap with the same node and number is another election', async () => {
    const election = new Election(api, 'coordinator');
    await election.elect('http://c1:8081');
    const discovery = discover();
    await until(discovery, connected(discovery));
    const seen: (string | null)[] = [];
    discovery.on('snapshot', () => seen.push(leaderOf(discovery)));
    await election.remove();
    await election.elect('http://c1:8081');
    await until(discovery, () => seen.length === 2);
    expect([seen, termOf(discovery)]).toEqual([[null, 'http://c1:8081'], 0]);
  });

  test('whose record is nonsense has no leader, and says so once', async () => {
    const election = new Election(api, 'coordinator');
    await election.elect('http://c1:8081');
    const discovery = discover();
    const faults: string[] = [];
    discovery.on('fault', (fault) => faults.push(fault));
    await until(discovery, () => leaderOf(discovery) !== null);
    for (let i = 0; i < 3; i++) await election.write(`nonsense ${i}`);
    await until(discovery, () => leaderOf(discovery) === null);
    broker('10.0.0.1');
    await until(discovery, () => hostsOf(discovery).length === 1);
    expect(faults).toEqual([`ConfigMap ${election.name} in ${NAMESPACE} holds no leader record`]);
  });
});

describe('a watch', () => {
  test('that ends is begun again where it ended, without a list', async () => {
    const discovery = discover();
    await until(discovery, connected(discovery));
    await expect.poll(() => api.openWatches).toBe(3);
    const lists = asked('/pods', false);
    const states = new Set<string>();
    discovery.on('status', ({ state }) => states.add(state));
    for (let i = 1; i <= 3; i++) {
      api.endWatches();
      broker(`10.0.0.${i}`);
      await until(discovery, () => hostsOf(discovery).length === i);
    }
    expect([asked('/pods', false), [...states]]).toEqual([lists, []]);
  });

  test('begins after the last bookmark, and so outlives what is forgotten', async () => {
    const discovery = discover();
    await until(discovery, connected(discovery));
    await expect.poll(() => api.openWatches).toBe(3);
    // Other objects change, of which the watches see nothing.
    api.put('pods', 'elsewhere', { metadata: { name: 'x' } });
    api.bookmark();
    const lists = asked('/pods', false);
    api.compact();
    api.endWatches();
    broker('10.0.0.1');
    await until(discovery, () => hostsOf(discovery).length === 1);
    expect(asked('/pods', false)).toBe(lists);
  });

  test.each(['event', 'status'] as const)(
    'whose version is forgotten (%s) is preceded by a new list',
    async (how) => {
      broker('10.0.0.1');
      const discovery = discover();
      await until(discovery, connected(discovery));
      await expect.poll(() => api.openWatches).toBe(3);
      api.goneAs = how;
      const states = new Set<string>();
      discovery.on('status', ({ state }) => states.add(state));
      const lists = asked('/pods', false);
      // Nobody is told before the watches end.
      api.mute = true;
      api.remove('pods', NAMESPACE, 'broker-10-0-0-1');
      broker('10.0.0.2');
      api.compact();
      api.mute = false;
      api.endWatches();
      await until(discovery, () => hostsOf(discovery)[0] === '10.0.0.2:8082');
      expect([asked('/pods', false), [...states]]).toEqual([lists + 1, []]);
      expect(hostsOf(discovery)).toEqual(['10.0.0.2:8082']);
    },
  );

  test('in which no leader is heard any more is left, and a server that says nothing is noticed', async () => {
    await new Election(api, 'coordinator', 4).elect('http://c1:8081');
    await new Election(api, 'overlord', 4).elect('http://o1:8090');
    const discovery = discover({ requestMs: 300 });
    await until(discovery, connected(discovery));
    await expect.poll(() => api.openWatches).toBe(3);
    const began = performance.now();
    api.frozen = true;
    await until(discovery, () => discovery.status.state === 'suspended');
    // A quarter of the lease, and the time for one question.
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(discovery.status.detail).toContain('the API server did not answer in time');
    // It may lead still, and nobody can say.
    expect(leaderOf(discovery)).toBe('http://c1:8081');
    await until(discovery, () => discovery.status.state === 'lost');
    expect(leaderOf(discovery)).toBe('http://c1:8081');
    api.frozen = false;
    await until(discovery, connected(discovery));
  });

  test.each<[string, string]>([
    ['text that is no JSON', 'nonsense\n'],
    ['a list', '[]\n'],
    ['an event without an object', '{"type":"ADDED"}\n'],
    ['an error that names no reason', '{"type":"ERROR","object":{}}\n'],
    ['a type that nobody knows', '{"type":"LATER","object":null}\n'],
    ['empty lines', '\n\n\n'],
  ])('with %s in it goes on', async (_, text) => {
    const discovery = discover();
    await until(discovery, connected(discovery));
    await expect.poll(() => api.openWatches).toBe(3);
    api.spoil(text);
    broker('10.0.0.1');
    await until(discovery, () => hostsOf(discovery).length === 1);
    expect(discovery.status.state).toBe('connected');
  });

  test('with an event that does not end is given up before it fills the memory', async () => {
    const discovery = discover();
    await until(discovery, connected(discovery));
    await expect.poll(() => api.openWatches).toBe(3);
    const faults: string[] = [];
    discovery.on('fault', (fault) => faults.push(fault));
    for (let i = 0; i < 5; i++) api.spoil('x'.repeat(1024 * 1024));
    await until(discovery, () => faults.length > 0);
    expect(faults[0]).toContain('sent an event of more than 4194304 bytes');
    broker('10.0.0.1');
    await until(discovery, () => hostsOf(discovery).length === 1);
  });
});

describe('the server', () => {
  test('wants a token, which is read again for each request', async () => {
    api.token = 'first';
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'stale\n');
    const discovery = discover({ tokenFile });
    await until(discovery, () => discovery.status.detail !== null);
    expect(discovery.status.state).toBe('connecting');
    expect(discovery.status.detail).toContain('the API server answered 401: Unauthorized');
    expect(discovery.status.detail).not.toContain('stale');
    writeFileSync(tokenFile, 'first\n');
    await until(discovery, connected(discovery));
    api.token = 'second';
    writeFileSync(tokenFile, 'second\n');
    api.cut();
    broker('10.0.0.1');
    await until(discovery, () => hostsOf(discovery).length === 1);
  });

  test('refuses a right: the detail says which, and the rest is read', async () => {
    api.denied.add('list configmaps');
    broker('10.0.0.1');
    const discovery = discover();
    await until(discovery, () => hostsOf(discovery).length === 1 && discovery.status.detail !== null);
    expect(discovery.status.detail).toContain('answered 403: configmaps "druid-test-leaderelection-');
    expect(discovery.snapshot.complete).toBe(false);
    api.denied.clear();
    await until(discovery, connected(discovery));
  });

  test('has no token file for us: that is a status', async () => {
    const discovery = discover({ tokenFile: join(folder, 'none') });
    await until(discovery, () => discovery.status.detail !== null);
    expect(discovery.status.detail).toContain('cannot be read (ENOENT)');
  });

  test.each<[string, string]>([
    ['no JSON', '<html>'],
    ['a list without items', '{"metadata":{"resourceVersion":"1"}}'],
    ['a list without a version', '{"metadata":{},"items":[]}'],
    ['something else', '{"kind":"Pod"}'],
  ])('answers with %s: it is asked again, and what was known stays', async (_, body) => {
    broker('10.0.0.1');
    const discovery = discover();
    await until(discovery, connected(discovery));
    api.compact();
    let odd = 0;
    api.script = ({ query }, response) => {
      if (query.get('watch') === 'true') return false;
      if (odd++ > 6) return false;
      response.end(body);
      return true;
    };
    api.put('pods', 'elsewhere', { metadata: { name: 'x' } });
    api.compact();
    api.endWatches();
    await until(discovery, () => discovery.status.state === 'suspended');
    expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
    await until(discovery, connected(discovery));
  });

  describe('is away, as one watch sees: it may have another etcd when it is back', () => {
    let discovery: KubernetesDiscovery;
    /** The next request for a watch of each kind, which has no answer yet. */
    let held: Map<string, ServerResponse>;
    let lists: number;

    beforeEach(async () => {
      broker('10.0.0.1');
      discovery = discover();
      await eventually(async () => api.openWatches === 3);
      api.endWatches();
      await eventually(async () => discovery.watchStats.restarts === 3);
      held = new Map();
      lists = asked('/pods', false);
    });

    async function endAndHold(...kinds: Kind[]): Promise<void> {
      api.script = ({ path, query }, response) => {
        const kind = kinds.find((one) => path.endsWith(`/${one}`));
        if (kind === undefined || query.get('watch') !== 'true' || held.has(kind)) return false;
        held.set(kind, response);
        return true;
      };
      for (const kind of kinds) api.endWatches(kind);
      await eventually(async () => held.size === kinds.length);
    }

    async function seeOutage(): Promise<void> {
      const isSeen = until(discovery, () => discovery.status.detail !== null);
      held.get('configmaps')?.writeHead(503).end();
      await isSeen;
    }

    /** As that server answers whoever is ahead of its versions: it says nothing more. */
    const answerPods = (): unknown => held.get('pods')?.writeHead(200).flushHeaders();

    const areListed = (): Promise<void> =>
      until(discovery, () => asked('/pods', false) > lists && connected(discovery)());

    test('what is watched since before is listed as soon as that watch ends', async () => {
      await endAndHold('configmaps');
      await seeOutage();
      await until(discovery, connected(discovery));
      expect(asked('/pods', false)).toBe(lists);
      api.endWatches('pods');
      await areListed();
    });

    test('what was about to be watched is listed', async () => {
      await endAndHold('pods', 'configmaps');
      await seeOutage();
      answerPods();
      await areListed();
    });

    test('what is watched since the other one asked is listed', async () => {
      await endAndHold('pods', 'configmaps');
      const begun = discovery.watchStats.restarts;
      answerPods();
      await eventually(async () => discovery.watchStats.restarts > begun);
      await seeOutage();
      await areListed();
    });
  });

  test('is reached by TLS, with the authority that is in the file by then', async () => {
    const pems = await makeCertificates(folder);
    const pem = await readFile(pems.server);
    const secure = await startFakeApiServer({ tls: { cert: pem, key: pem } });
    const caFile = join(folder, 'api-ca.pem');
    writeFileSync(caFile, await readFile(pems.strangerCa));
    try {
      const discovery = discover({ server: secure.url, caFile });
      await until(discovery, () => discovery.status.detail !== null);
      expect(discovery.status.detail).toMatch(/cannot be reached \([A-Z_]+\)/);
      writeFileSync(caFile, await readFile(pems.ca));
      await until(discovery, connected(discovery));
      await discovery.close();
    } finally {
      await secure.close();
    }
  });

  test('knows us by the client certificate that is in the files by then', async () => {
    const pems = await makeCertificates(folder);
    const pem = await readFile(pems.server);
    const clientCa = await readFile(pems.ca);
    const secure = await startFakeApiServer({ tls: { cert: pem, key: pem, clientCa } });
    const target = { server: secure.url, caFile: pems.ca };
    const client = { certFile: join(folder, 'client-cert.pem'), keyFile: join(folder, 'client-key.pem') };
    try {
      const unknown = discover(target);
      await until(unknown, () => unknown.status.detail !== null);
      expect(unknown.status.detail).toMatch(/cannot be reached \([A-Z_0-9]+\)/);
      await unknown.close();
      const discovery = discover({ ...target, client });
      await until(discovery, () => discovery.status.detail !== null);
      expect(discovery.status.detail).toContain(
        `the certificate in ${client.certFile} cannot be read (ENOENT)`,
      );
      writeFileSync(client.certFile, await readFile(pems.clientCert));
      // That of the server.
      writeFileSync(client.keyFile, pem);
      await until(discovery, () => /KEY_VALUES_MISMATCH/.test(discovery.status.detail ?? ''));
      writeFileSync(client.keyFile, await readFile(pems.clientKey));
      await until(discovery, connected(discovery));
      await discovery.close();
    } finally {
      await secure.close();
    }
  });
});

describe('addresses of pods', () => {
  test('are where nodes are reached that announce names, and nodes keep their names', async () => {
    broker('broker-0.druid', { podIP: '10.1.0.1' });
    broker('10.0.0.2', { podIP: '10.1.0.2' });
    broker('broker-3.druid');
    const discovery = discover({ address: 'podIP' });
    await until(discovery, connected(discovery));
    expect(
      discovery.snapshot.announcements.broker.map(({ origin, address }) => [origin, address ?? null]),
    ).toEqual([
      ['http://10.0.0.2:8082', null],
      ['http://broker-0.druid:8082', '10.1.0.1'],
      ['http://broker-3.druid:8082', null],
    ]);
    broker('broker-0.druid', { podIP: 'fd00::7' });
    await until(discovery, () => discovery.snapshot.announcements.broker[1]?.address === 'fd00::7');
  });

  test('are what is allowed or not', async () => {
    const refusal = createOriginRefusal({ networks: ['10.1.0.0/16'], names: [], httpsOnly: false });
    broker('broker-0.druid', { podIP: '10.1.0.1' });
    broker('broker-1.druid', { podIP: '10.6.0.1' });
    const pod = podOf('c0', { roles: ['coordinator'], host: 'c0.druid', port: 8081, podIP: '10.1.0.3' });
    api.put('pods', NAMESPACE, pod);
    const election = new Election(api, 'coordinator');
    await election.elect('http://c0.druid:8081');
    const discovery = discover({ address: 'podIP', refusal });
    await until(discovery, connected(discovery));
    expect(hostsOf(discovery)).toEqual(['broker-0.druid:8082']);
    expect(leaderOf(discovery)).toBe('http://c0.druid:8081');
    await election.elect('http://somewhere.else:8081');
    await until(discovery, () => leaderOf(discovery) === null);
    expect(discovery.snapshot.latches?.coordinator.participants).toHaveLength(1);
  });
});
