import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import {
  createKubernetesDiscovery,
  type KubernetesDiscovery,
} from '../../src/discovery/kubernetes/discovery.ts';
import { installAccount, startApiServerRig } from '../kit/discovery/api-server-rig.ts';
import { testKubernetes } from '../kit/discovery/kubernetes-suite.ts';
import { hostsOf, leaderOf, testSource, until } from '../kit/discovery/source-suite.ts';
import { diagnosed, evidenceOf, wrongOf } from '../kit/doctor.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { ApiServer } from '../kit/kubernetes/api-server.ts';
import { CLUSTER, Election, podOf } from '../kit/kubernetes/druid-pods.ts';
import { renderRoles } from './chart.ts';

const { kubernetes } = inject('engines');
const helm = inject('helm');

describe.runIf('path' in kubernetes && 'path' in helm)('Kubernetes', () => {
  let api: ApiServer;

  beforeAll(async () => {
    api = await ApiServer.start('path' in kubernetes ? kubernetes.path : '');
  });

  afterAll(() => api.close());

  const chart = (namespace: string, values: readonly string[] = []): Promise<string> =>
    renderRoles('path' in helm ? helm.path : '', namespace, values);

  testSource('a real API server', { start: () => startApiServerRig(api, chart), cuts: 100 });
  testKubernetes('a real API server', () => startApiServerRig(api, chart));

  describe('the rights of the chart', () => {
    const errors = recordErrors();
    afterEach(() => expect(errors.lines).toEqual([]));

    async function discovering(options: {
      readonly pods: string;
      readonly overlord?: string;
      readonly tokenFile: string;
    }): Promise<KubernetesDiscovery> {
      const discovery = createKubernetesDiscovery({
        server: api.url,
        caFile: api.caFile,
        tokenFile: options.tokenFile,
        clusterIdentifier: CLUSTER,
        namespace: options.pods,
        ...(options.overlord === undefined ? {} : { leaderNamespaces: { overlord: options.overlord } }),
        address: 'announced',
        maxDelayMs: 50,
        errors,
      });
      onTestFinished(() => discovery.close());
      discovery.start();
      return discovery;
    }

    async function scratch(): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-rights-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      return folder;
    }

    test('are enough in three namespaces, and allow nothing else', async () => {
      const [own, pods, masters] = ['rights-gateway', 'rights-druid', 'rights-masters'];
      for (const namespace of [own, pods, masters]) await api.makeNamespace(namespace);
      const values = [`kubernetes.namespace=${pods}`, `kubernetes.overlordNamespace=${masters}`];
      const account = { namespace: own, name: 'gw-druid-gateway' };
      const { tokenFile } = await installAccount(api, await chart(own, values), account, await scratch());
      await api.put('pods', pods, podOf('b', { roles: ['broker'], host: '10.0.0.1', port: 8082 }));
      await new Election(api, 'coordinator', 60, pods).elect('http://c1:8081');
      await new Election(api, 'overlord', 60, masters).elect('http://o1:8090');
      const discovery = await discovering({ pods, overlord: masters, tokenFile });
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
      expect([leaderOf(discovery), leaderOf(discovery, 'overlord')]).toEqual([
        'http://c1:8081',
        'http://o1:8090',
      ]);
      const token = await api.tokenOf(account);
      const may = async (method: string, path: string): Promise<number> =>
        (await api.ask(method, path, undefined, token)).status;
      const one = `/api/v1/namespaces/${pods}`;
      expect([
        await may('GET', `${one}/pods/b`),
        await may('DELETE', `${one}/pods/b`),
        await may('GET', `${one}/configmaps`),
        await may('GET', `${one}/configmaps?fieldSelector=metadata.name=another`),
        await may('GET', `${one}/secrets`),
        await may('GET', '/api/v1/pods'),
      ]).toEqual([403, 403, 403, 403, 403, 403]);
    });

    test('of which one is missing are what doctor names', async () => {
      const namespace = 'rights-missing';
      await api.makeNamespace(namespace);
      const account = { namespace, name: 'gw-druid-gateway' };
      const { roles, tokenFile } = await installAccount(
        api,
        await chart(namespace),
        account,
        await scratch(),
      );
      await api.put('pods', namespace, podOf('b', { roles: ['broker'], host: '10.0.0.1', port: 8082 }));
      const keys = {
        DISCOVERY__TYPE: 'kubernetes',
        KUBERNETES__SERVER: api.url,
        KUBERNETES__CA_FILE: api.caFile,
        KUBERNETES__TOKEN_FILE: tokenFile,
        KUBERNETES__CLUSTER_IDENTIFIER: CLUSTER,
        KUBERNETES__NAMESPACE: namespace,
      };
      const whole = await diagnosed(null, keys);
      expect(wrongOf(whole).filter((one) => one.startsWith('k8s'))).toEqual([]);
      const [role] = roles;
      const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/${role?.metadata.name}`;
      await api.must('PATCH', path, { rules: (role?.rules ?? []).slice(0, 1) });
      const report = await diagnosed(null, keys);
      expect(wrongOf(report)).toContain('k8s.api FAIL');
      expect(evidenceOf(report, 'k8s.api')).toContain('cannot list resource "configmaps"');
    });

    test('end with the token, of which a watch hears nothing, and go on with the next one', async () => {
      const namespace = 'rights-token';
      await api.makeNamespace(namespace);
      const account = { namespace, name: 'gw-druid-gateway' };
      const { tokenFile } = await installAccount(api, await chart(namespace), account, await scratch());
      // The API forgives a minute.
      await writeFile(tokenFile, await api.tokenUntil(account, -57));
      const discovery = await discovering({ pods: namespace, tokenFile });
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      const status = new Promise((resolve) => discovery.once('status', resolve));
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      await api.put('pods', namespace, podOf('b', { roles: ['broker'], host: '10.0.0.1', port: 8082 }));
      await until(discovery, () => hostsOf(discovery).length === 1);
      // The watches of the elections are quiet, and asked anew within 15 s.
      await status;
      expect(discovery.status).toMatchObject({
        state: 'suspended',
        detail: expect.stringContaining('the API server answered 401: Unauthorized'),
      });
      await writeFile(tokenFile, await api.tokenOf(account));
      await until(discovery, () => discovery.status.state === 'connected');
    });

    test('last over an end of the API server, which is told', async () => {
      const namespace = 'rights-restart';
      await api.makeNamespace(namespace);
      const account = { namespace, name: 'gw-druid-gateway' };
      const { tokenFile } = await installAccount(api, await chart(namespace), account, await scratch());
      const discovery = await discovering({ pods: namespace, tokenFile });
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      await api.down();
      const refusal = 'the API server cannot be reached (ECONNREFUSED)';
      await until(discovery, () => discovery.status.detail?.includes(refusal) === true);
      expect(discovery.status.state).toBe('suspended');
      await api.up();
      await api.put('pods', namespace, podOf('b', { roles: ['broker'], host: '10.0.0.1', port: 8082 }));
      await until(discovery, () => discovery.status.state === 'connected' && hostsOf(discovery).length === 1);
    });

    test('show bookmarks, which move a quiet watch on so that nothing has to be listed', async () => {
      const namespace = 'rights-quiet';
      await api.makeNamespace(namespace);
      const account = { namespace, name: 'gw-druid-gateway' };
      const { tokenFile } = await installAccount(api, await chart(namespace), account, await scratch());
      const discovery = await discovering({ pods: namespace, tokenFile });
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      const { restarts } = discovery.watchStats;
      // Leaders write all the time, and pods of others change: an API server that hears nothing of any pod has no news, either.
      const elections = (['coordinator', 'overlord'] as const).map(
        (role) => new Election(api, role, 60, namespace),
      );
      for (const election of elections) await election.elect('http://c1:8081');
      const others = 'rights-quiet-others';
      await api.makeNamespace(others);
      const { metadata, ...other } = podOf('other', { roles: [], host: '10.0.0.9', port: 80 });
      const change = (): Promise<unknown> => {
        const annotations = { at: String(Date.now()) };
        const pod = api.put('pods', others, { ...other, metadata: { ...metadata, annotations } });
        return Promise.all([...elections.map((election) => election.renew()), pod]);
      };
      const renewing = setInterval(() => {
        change().catch((error) => errors.report('discovery', error));
      }, 4_000);
      onTestFinished(() => clearInterval(renewing));
      const faults: string[] = [];
      discovery.on('status', ({ detail }) => faults.push(detail ?? ''));
      // A watch of pods that says nothing for 90 s is left. Each minute it has something to say.
      await new Promise((resolve) => setTimeout(resolve, 100_000));
      expect([discovery.watchStats.restarts, faults]).toEqual([restarts, []]);
    });
  });
});
