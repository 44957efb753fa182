import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { createGateway } from '../../../src/gateway/gateway.ts';
import { CLUSTER, Election, NAMESPACE, podOf } from '../../kit/kubernetes/druid-pods.ts';
import { startFakeApiServer } from '../../kit/kubernetes/fake-api-server.ts';
import { json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

test('a gateway holds the Lease where it is told to, at the address of the leader’s pod, and gives it back at its end', async () => {
  const api = await startFakeApiServer();
  const master = await startUpstream((_, socket) => socket.write(json({ leader: true })));
  const lines: { msg: string; why?: string }[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const config = loadConfig({
    environment: {
      DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__SHUTDOWN__DELAY: '0',
      DRUID_GATEWAY__SHUTDOWN__DRAIN: '100ms',
      DRUID_GATEWAY__DISCOVERY__TYPE: 'kubernetes',
      DRUID_GATEWAY__KUBERNETES__SERVER: api.url,
      DRUID_GATEWAY__KUBERNETES__NAMESPACE: NAMESPACE,
      DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: CLUSTER,
      DRUID_GATEWAY__KUBERNETES__ADDRESS: 'podIP',
      DRUID_GATEWAY__FEEDS__KUBERNETES__NAMESPACE: 'services',
      DRUID_GATEWAY__FEEDS__KUBERNETES__SERVICES__OVERLORD: 'druid-overlord',
      DRUID_GATEWAY__FEEDS__KUBERNETES__RETRY_PERIOD: '50ms',
    },
  });
  const gateway = createGateway(config, { logger: pino({}, stream), version: '0' });
  try {
    const { port } = master;
    const pod = { roles: ['overlord'], host: 'o.druid.invalid', port, podIP: '127.0.0.1' } as const;
    api.put('pods', NAMESPACE, podOf('o', pod));
    await new Election(api, 'overlord').elect(`http://o.druid.invalid:${port}`);
    const { admin } = await gateway.start();
    const spec = (): unknown => api.get('leases', 'services', 'druid-overlord-endpoints')?.spec;
    await vi.waitFor(
      () => expect(spec()).toMatchObject({ holderIdentity: expect.stringMatching(/._./) }),
      20_000,
    );
    // No machine of a test has an address that everybody can reach.
    const why = `o.druid.invalid:${port} is at 127.0.0.1, which Kubernetes takes for no endpoint`;
    await vi.waitFor(() => expect(lines.map((line) => line.why)).toContain(why), 20_000);
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).toContain('druid_gateway_kubernetes_feed_holder 1');
    expect(metrics).toContain('druid_gateway_kubernetes_feed_up 0');
    await gateway.stop();
    expect(spec()).toMatchObject({ holderIdentity: '' });
  } finally {
    await gateway.stop();
    await api.close();
    await master.close();
  }
});
