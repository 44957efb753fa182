import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiTarget } from '../../../src/discovery/http-api.ts';
import {
  createKubernetesDiscovery,
  type KubernetesDiscovery,
  type KubernetesDiscoveryOptions,
} from '../../../src/discovery/kubernetes/discovery.ts';
import { recordErrors } from '../gateway/recorded-errors.ts';
import { type ApiWriter, CLUSTER, Election, podOf } from '../kubernetes/druid-pods.ts';
import type { Kind } from '../kubernetes/fake-api-server.ts';
import { hostsOf, leaderOf, type SourceRig, termOf, until } from './source-suite.ts';

export type Verb = 'list' | 'watch';

/** A Kubernetes API, real or fake, with a namespace of its own and an account that has the rights of the chart's Role there. */
export interface KubernetesRig extends SourceRig {
  readonly namespace: string;
  /** Writes as Druid and the kubelet do, without the link that `stop` and `cut` are about. */
  readonly writer: ApiWriter;
  /** How the account reaches it. Its token is in a file. */
  readonly target: ApiTarget & { readonly tokenFile: string };
  /** What the account may do with a kind of objects, from now on. */
  allow(kind: Kind, verbs: readonly Verb[]): Promise<void>;
  /** A token that the API takes, and one whose time is over. */
  token(which: 'good' | 'ended'): Promise<string>;
  /** All versions but the present one are forgotten, by caches as well, and with them the pages of lists. */
  forget(): Promise<void>;
  /** Everything is lost, and versions begin anew; the namespace and the account are there again. */
  lose(): Promise<void>;
}

export interface Asked {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it
  readonly body: any;
}

/** Asks as somebody with this token, or with none. */
export async function askAs(
  { server, caFile }: ApiTarget,
  token: string | null,
  path: string,
): Promise<Asked> {
  return asking(caFile, async (dispatcher) => {
    const { statusCode, body } = await request(server + path, {
      dispatcher,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    return { status: statusCode, body: await body.json() };
  });
}

async function asking<T>(caFile: string | null, ask: (dispatcher: Agent) => Promise<T>): Promise<T> {
  const ca = caFile === null ? {} : { ca: await readFile(caFile, 'utf8') };
  const dispatcher = new Agent({ connect: ca });
  try {
    return await ask(dispatcher);
  } finally {
    await dispatcher.destroy();
  }
}

/** What both a real API server and the fake one do, as far as the gateway depends on it. */
export function testKubernetes(name: string, start: () => Promise<KubernetesRig>): void {
  describe(name, () => {
    let rig: KubernetesRig;
    let errors: ReturnType<typeof recordErrors>;
    let pods: string;
    let configMaps: string;
    const open: KubernetesDiscovery[] = [];

    beforeEach(async () => {
      rig = await start();
      errors = recordErrors();
      pods = `/api/v1/namespaces/${rig.namespace}/pods`;
      configMaps = `/api/v1/namespaces/${rig.namespace}/configmaps`;
    });

    afterEach(async () => {
      await Promise.all(open.splice(0).map((discovery) => discovery.close()));
      await rig.close();
      expect(errors.lines).toEqual([]);
    });

    function discover(options: Partial<KubernetesDiscoveryOptions> = {}): KubernetesDiscovery {
      const discovery = createKubernetesDiscovery({
        ...rig.target,
        clusterIdentifier: CLUSTER,
        namespace: rig.namespace,
        address: 'announced',
        maxDelayMs: 20,
        requestMs: 5_000,
        errors,
        ...options,
      });
      open.push(discovery);
      discovery.start();
      return discovery;
    }

    const connected = (discovery: KubernetesDiscovery) => (): boolean =>
      discovery.snapshot.complete && discovery.status.state === 'connected';

    async function broker(
      host: string,
      more: { ready?: readonly boolean[]; podIP?: string } = {},
    ): Promise<void> {
      const pod = podOf(`broker-${host.replaceAll('.', '-')}`, {
        roles: ['broker'],
        host,
        port: 8082,
        ...more,
      });
      await rig.writer.put('pods', rig.namespace, pod);
    }

    async function get(path: string, query: Readonly<Record<string, string>> = {}): Promise<Asked> {
      const token = await readFile(rig.target.tokenFile, 'utf8');
      return askAs(rig.target, token, `${path}?${new URLSearchParams(query)}`);
    }

    /** The events of a watch up to the first of a type. */
    async function events(
      path: string,
      query: Readonly<Record<string, string>>,
      last: string,
      // biome-ignore lint/suspicious/noExplicitAny: a test looks into it
    ): Promise<any[]> {
      const { caFile, server, tokenFile } = rig.target;
      const authorization = `Bearer ${await readFile(tokenFile, 'utf8')}`;
      return asking(caFile, async (dispatcher) => {
        const url = `${server}${path}?${new URLSearchParams({ watch: 'true', ...query })}`;
        const { body } = await request(url, { dispatcher, headers: { authorization } });
        const found = [];
        let rest = '';
        for await (const chunk of body.setEncoding('utf8')) {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) found.push(JSON.parse(line));
          if (found.some(({ type }) => type === last)) break;
        }
        return found;
      });
    }

    const label = `druidDiscoveryAnnouncement-cluster-identifier=${CLUSTER}`;

    describe('as it answers', () => {
      test('lists objects without their type, in pages that are of one version, and forgets pages', async () => {
        for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) await broker(host);
        const first = await get(pods, { labelSelector: label, limit: '2' });
        expect(first).toMatchObject({ status: 200, body: { kind: 'PodList', apiVersion: 'v1' } });
        expect(first.body.items[0].kind).toBe(undefined);
        expect(first.body.items.map((item: ApiItem) => item.metadata.name)).toEqual([
          'broker-10-0-0-1',
          'broker-10-0-0-2',
        ]);
        await broker('10.0.0.4');
        const query = { labelSelector: label, limit: '2', continue: first.body.metadata.continue };
        const second = await get(pods, query);
        expect(second.body.items.map((item: ApiItem) => item.metadata.name)).toEqual(['broker-10-0-0-3']);
        expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
        expect(second.body.metadata.continue ?? '').toBe('');
        await rig.forget();
        expect(await get(pods, query)).toMatchObject({
          status: 410,
          body: {
            kind: 'Status',
            reason: 'Expired',
            code: 410,
            message: expect.stringContaining('The provided continue parameter is too old'),
          },
        });
      });

      test('watches objects with their type, tells as deleted what the selector has lost, and ends with a bookmark', async () => {
        await broker('10.0.0.1');
        const { metadata } = (await get(pods, { labelSelector: label })).body;
        const seen = events(
          pods,
          {
            labelSelector: label,
            resourceVersion: metadata.resourceVersion,
            allowWatchBookmarks: 'true',
            timeoutSeconds: '4',
          },
          'BOOKMARK',
        );
        await broker('10.0.0.2');
        await broker('10.0.0.1', { ready: [false] });
        await rig.writer.put('pods', rig.namespace, {
          metadata: { name: 'broker-10-0-0-1', labels: { app: 'druid' } },
        });
        await rig.writer.remove('pods', rig.namespace, 'broker-10-0-0-2');
        const all = await seen;
        // The status of a real pod is written after the pod, and the pod is marked before it is removed.
        const told = all
          .map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`)
          .filter((one) => one !== 'MODIFIED broker-10-0-0-2');
        expect(told.filter((one, i) => one !== told[i - 1])).toEqual([
          'ADDED broker-10-0-0-2',
          'MODIFIED broker-10-0-0-1',
          'DELETED broker-10-0-0-1',
          'DELETED broker-10-0-0-2',
          'BOOKMARK ',
        ]);
        expect(new Set(all.map(({ object }) => `${object.kind} ${object.apiVersion}`))).toEqual(
          new Set(['Pod v1']),
        );
        const versions = all.map(({ object }) => Number(object.metadata.resourceVersion));
        expect(versions).toEqual(versions.toSorted((a, b) => a - b));
        expect(versions[0]).toBeGreaterThan(Number(metadata.resourceVersion));
      });

      test('says in the stream that a version is forgotten', async () => {
        await broker('10.0.0.1');
        const { resourceVersion } = (await get(pods)).body.metadata;
        await broker('10.0.0.2');
        await rig.forget();
        const [event] = await events(pods, { resourceVersion, timeoutSeconds: '20' }, 'ERROR');
        expect(event).toMatchObject({
          type: 'ERROR',
          object: { kind: 'Status', reason: 'Expired', code: 410 },
        });
        expect(event.object.message).toMatch(/^too old resource version: \d+ \(\d+\)$/);
      });

      test('lists one ConfigMap by its name, and none where it is not there', async () => {
        const election = new Election(rig.writer, 'coordinator', 60, rig.namespace);
        const query = { fieldSelector: `metadata.name=${election.name}` };
        expect((await get(configMaps, query)).body.items ?? []).toEqual([]);
        await election.elect('http://c1:8081');
        const [found] = (await get(configMaps, query)).body.items;
        expect(found.metadata.name).toBe(election.name);
        expect(
          JSON.parse(found.metadata.annotations['control-plane.alpha.kubernetes.io/leader']),
        ).toMatchObject({
          holderIdentity: 'http://c1:8081',
          leaderTransitions: 0,
        });
        await election.remove();
        await election.elect('http://c1:8081');
        const [again] = (await get(configMaps, query)).body.items;
        expect(again.metadata.uid).not.toBe(found.metadata.uid);
      });

      test('refuses a token that it does not know, and one whose time is over', async () => {
        for (const token of ['nonsense', await rig.token('ended')]) {
          expect(await askAs(rig.target, token, `${pods}?labelSelector=${label}`)).toMatchObject({
            status: 401,
            body: { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized', code: 401 },
          });
        }
      });
    });

    describe('as a source', () => {
      test('counts pods when all of their containers are ready, and while they have their labels', async () => {
        await broker('10.0.0.1');
        await broker('10.0.0.2', { ready: [true, false] });
        const discovery = discover();
        await until(discovery, connected(discovery));
        expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
        await broker('10.0.0.2', { ready: [true, true] });
        await until(discovery, () => hostsOf(discovery).length === 2);
        await broker('10.0.0.1', { ready: [false] });
        await until(discovery, () => hostsOf(discovery).length === 1);
        await rig.writer.put('pods', rig.namespace, {
          metadata: { name: 'broker-10-0-0-2', labels: { app: 'druid' } },
        });
        await until(discovery, () => hostsOf(discovery).length === 0);
        expect(discovery.status.state).toBe('connected');
      });

      test('tells the address of a pod, and both roles of a combined Coordinator', async () => {
        await broker('broker-0.druid', { podIP: '10.1.0.1' });
        const roles = ['coordinator', 'overlord'] as const;
        const pod = podOf('c0', { roles, host: 'c0.druid', port: 8081, podIP: '10.1.0.3' });
        await rig.writer.put('pods', rig.namespace, pod);
        const discovery = discover({ address: 'podIP' });
        await until(discovery, connected(discovery));
        expect(discovery.snapshot.announcements.broker).toMatchObject([
          { origin: 'http://broker-0.druid:8082', address: '10.1.0.1' },
        ]);
        expect(roles.map((role) => hostsOf(discovery, role))).toEqual([['c0.druid:8081'], ['c0.druid:8081']]);
      });

      test('has a leader for as long as the record changes within its lease', async () => {
        const election = new Election(rig.writer, 'coordinator', 1, rig.namespace);
        await election.elect('http://c1:8081');
        const discovery = discover();
        await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
        await until(discovery, () => leaderOf(discovery) === null);
        expect(discovery.status.state).toBe('connected');
        await election.renew();
        await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
        expect(termOf(discovery)).toBe(0);
      });

      test('has another election when the ConfigMap is made anew, with the same node and number', async () => {
        const election = new Election(rig.writer, 'coordinator', 60, rig.namespace);
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

      test('is listed anew where what the watch began with is forgotten', async () => {
        await broker('10.0.0.1');
        const discovery = discover();
        await until(discovery, connected(discovery));
        await rig.stop();
        await until(discovery, () => discovery.status.state !== 'connected');
        await rig.writer.remove('pods', rig.namespace, 'broker-10-0-0-1');
        await broker('10.0.0.2');
        await rig.forget();
        await rig.start();
        await until(discovery, () => connected(discovery)() && hostsOf(discovery)[0] === '10.0.0.2:8082');
        expect(hostsOf(discovery)).toEqual(['10.0.0.2:8082']);
      });

      test('that comes back with another etcd, whose versions begin anew, is listed anew', async () => {
        for (let i = 0; i < 20; i++) await broker('10.0.0.1', { ready: [i % 2 === 1] });
        const discovery = discover();
        await until(discovery, connected(discovery));
        await rig.stop();
        await until(discovery, () => discovery.status.state !== 'connected');
        await rig.lose();
        await broker('10.0.0.2');
        await rig.start();
        await until(discovery, () => connected(discovery)() && hostsOf(discovery)[0] === '10.0.0.2:8082');
        await broker('10.0.0.3');
        await until(discovery, () => hostsOf(discovery).length === 2);
      });

      test.each<[Kind, Verb, readonly Verb[]]>([
        ['pods', 'list', []],
        ['pods', 'watch', ['list']],
        ['configmaps', 'list', []],
        ['configmaps', 'watch', ['list']],
      ])(
        'in which we may not do with %s: %s, says so in full, and is read once we may',
        async (kind, verb, rest) => {
          await broker('10.0.0.1');
          await rig.allow(kind, rest);
          const discovery = discover();
          await until(discovery, () => discovery.status.detail !== null);
          const account = `"system:serviceaccount:${rig.namespace}:[a-z-]+"`;
          expect(discovery.status.detail).toMatch(
            new RegExp(
              `the API server answered 403: ${kind}( "[a-z-]+")? is forbidden: User ${account} cannot ${verb} ` +
                `resource "${kind}" in API group "" in the namespace "${rig.namespace}"`,
            ),
          );
          if (kind === 'configmaps') await until(discovery, () => hostsOf(discovery).length === 1);
          await rig.allow(kind, ['list', 'watch']);
          await until(discovery, connected(discovery));
          expect(hostsOf(discovery)).toHaveLength(1);
        },
      );

      test('whose token ends says so, keeps what is known, and goes on with the next one', async () => {
        await broker('10.0.0.1');
        const discovery = discover();
        await until(discovery, connected(discovery));
        await writeFile(rig.target.tokenFile, `${await rig.token('ended')}\n`);
        rig.cut();
        const refusal = 'the API server answered 401: Unauthorized';
        await until(discovery, () => discovery.status.detail?.includes(refusal) === true);
        expect(discovery.status.state).toBe('suspended');
        expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
        await writeFile(rig.target.tokenFile, `${await rig.token('good')}\n`);
        await until(discovery, connected(discovery));
        await broker('10.0.0.2');
        await until(discovery, () => hostsOf(discovery).length === 2);
      });
    });
  });
}

interface ApiItem {
  readonly metadata: { readonly name: string };
}
