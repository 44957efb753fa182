import type { MasterRole, Role } from '../../../src/discovery/discovery.ts';
import { createKubernetesDiscovery } from '../../../src/discovery/kubernetes/discovery.ts';
import { CLUSTER, Election, NAMESPACE, podOf } from '../kubernetes/druid-pods.ts';
import { startFakeApiServer } from '../kubernetes/fake-api-server.ts';
import { settled } from './settled.ts';
import type { SourceRig } from './source-suite.ts';

/** A fake API server as a source. */
export async function startKubernetesRig(): Promise<SourceRig> {
  const api = await startFakeApiServer();
  const elections: Readonly<Record<MasterRole, Election>> = {
    coordinator: new Election(api, 'coordinator'),
    overlord: new Election(api, 'overlord'),
  };
  const podName = (role: Role, host: string, port: number): string =>
    `${role}-${host.replaceAll('.', '-')}-${port}`;
  return {
    create: (options) =>
      createKubernetesDiscovery({
        server: api.url,
        tokenFile: null,
        caFile: null,
        clusterIdentifier: CLUSTER,
        namespace: NAMESPACE,
        address: 'announced',
        maxDelayMs: 20,
        requestMs: 2_000,
        ...options,
      }),
    async announce(role, host, port) {
      api.put('pods', NAMESPACE, podOf(podName(role, host, port), { roles: [role], host, port }));
    },
    async withdraw(role, host, port) {
      api.remove('pods', NAMESPACE, podName(role, host, port));
    },
    async announceNonsense() {
      const pod = podOf('nonsense', { roles: ['broker'], host: '10.0.0.9', port: 8082 });
      const annotations = { 'druidNodeInfo-broker': '{"nodeType":"broker"' };
      api.put('pods', NAMESPACE, { ...pod, metadata: { ...pod.metadata, annotations } });
    },
    elect: (role, origin) => elections[role].elect(origin),
    abdicate: (role) => elections[role].remove(),
    cut: () => api.cut(),
    stop: () => api.down(),
    start: () => api.up(),
    // Those of single questions end with their answers.
    held: () => settled(() => (api.openSockets === api.openWatches ? api.openSockets : null)),
    close: () => api.close(),
  };
}
