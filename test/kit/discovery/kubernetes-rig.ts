import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MasterRole, Role } from '../../../src/discovery/discovery.ts';
import type { ApiTarget } from '../../../src/discovery/http-api.ts';
import { createKubernetesDiscovery } from '../../../src/discovery/kubernetes/discovery.ts';
import { type ApiWriter, CLUSTER, Election, NAMESPACE, podOf } from '../kubernetes/druid-pods.ts';
import { startFakeApiServer } from '../kubernetes/fake-api-server.ts';
import type { KubernetesRig } from './kubernetes-suite.ts';
import { settled } from './settled.ts';
import type { SourceRig } from './source-suite.ts';

/** What a source does with objects of an API server, real or fake. */
export function sourceOf(
  api: ApiWriter,
  namespace: string,
  target: ApiTarget,
): Pick<SourceRig, 'create' | 'announce' | 'withdraw' | 'announceNonsense' | 'elect' | 'abdicate'> {
  const elections: Readonly<Record<MasterRole, Election>> = {
    coordinator: new Election(api, 'coordinator', 60, namespace),
    overlord: new Election(api, 'overlord', 60, namespace),
  };
  const podName = (role: Role, host: string, port: number): string =>
    `${role}-${host.replaceAll('.', '-')}-${port}`;
  return {
    create: (options) =>
      createKubernetesDiscovery({
        ...target,
        clusterIdentifier: CLUSTER,
        namespace,
        address: 'announced',
        maxDelayMs: 20,
        requestMs: 5_000,
        ...options,
      }),
    async announce(role, host, port) {
      await api.put('pods', namespace, podOf(podName(role, host, port), { roles: [role], host, port }));
    },
    async withdraw(role, host, port) {
      await api.remove('pods', namespace, podName(role, host, port));
    },
    async announceNonsense() {
      const pod = podOf('nonsense', { roles: ['broker'], host: '10.0.0.9', port: 8082 });
      const annotations = { 'druidNodeInfo-broker': '{"nodeType":"broker"' };
      await api.put('pods', namespace, { ...pod, metadata: { ...pod.metadata, annotations } });
    },
    elect: (role, origin) => elections[role].elect(origin),
    abdicate: (role) => elections[role].remove(),
  };
}

/** A fake API server as a source. */
export async function startKubernetesRig(): Promise<KubernetesRig> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-kubernetes-'));
  const api = await startFakeApiServer();
  api.token = 'good';
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, api.token);
  const target = { server: api.url, tokenFile, caFile: null };
  return {
    ...sourceOf(api, NAMESPACE, target),
    namespace: NAMESPACE,
    writer: api,
    target,
    async allow(kind, verbs) {
      for (const verb of ['list', 'watch'] as const) {
        if (verbs.includes(verb)) api.denied.delete(`${verb} ${kind}`);
        else api.denied.add(`${verb} ${kind}`);
      }
    },
    token: async (which) => which,
    async forget() {
      api.compact();
    },
    async lose() {
      api.lose();
    },
    cut: () => api.cut(),
    stop: () => api.down(),
    start: () => api.up(),
    // Those of single questions end with their answers.
    held: () => settled(() => (api.openSockets === api.openWatches ? api.openSockets : null)),
    asked: () => api.requests.length,
    async close() {
      await api.close();
      await rm(folder, { recursive: true });
    },
  };
}
