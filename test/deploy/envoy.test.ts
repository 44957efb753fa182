import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { createAdmin } from '../../src/admin/admin.ts';
import { run } from '../../tools/deploy-tools/run.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { testPorts } from '../kit/net/ports.ts';
import { FakeCluster, FakeDiscovery } from '../unit/admin/fakes.ts';
import { brokerAt, client, loopbackNodes, report, startEngine, swaps } from './engines.ts';
import { DEPLOY, envoyProgram, HAS_ENVOY, readDeployed, scratchFolder } from './tools.ts';

const WAIT = { timeout: 20_000, interval: 20 };

interface SocketAddress {
  socket_address: { address: string; port_value: number };
}

interface Cluster {
  name: string;
  eds_cluster_config?: { service_name: string };
  load_assignment?: { endpoints: { lb_endpoints: { endpoint: { address: SocketAddress } }[] }[] };
}

interface Bootstrap {
  static_resources: {
    listeners: { name: string; address: SocketAddress; filter_chains: unknown }[];
    clusters: Cluster[];
  };
}

/** An Envoy with the example, with other addresses, and a listener for the leader. */
async function rig() {
  const folder = await scratchFolder();
  const nodes = await loopbackNodes();
  const cluster = new FakeCluster();
  cluster.show({ complete: true });
  const errors = recordErrors();
  const admin = createAdmin({
    cluster,
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors,
    draining: () => false,
    version: '1',
    config: {},
    allowedHosts: ['druid-gateway-admin'],
  });
  const adminUrl = await admin.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    await admin.close();
    expect(errors.lines).toEqual([]);
  });
  const [port = 0, leaderPort = 0] = await testPorts(2);
  const bootstrap = await readDeployed<Bootstrap>('envoy/envoy.yaml');
  const { listeners, clusters } = bootstrap.static_resources;
  const [listener] = listeners;
  const brokers = clusters.find(({ name }) => name === 'druid-brokers');
  if (listener === undefined || brokers === undefined) throw new Error('the example has other names');
  const at = (address: string, port_value: number): SocketAddress => ({
    socket_address: { address, port_value },
  });
  const leaderListener = structuredClone({
    ...listener,
    name: 'leader',
    address: at('127.0.0.1', leaderPort),
  });
  const routed = JSON.stringify(leaderListener).replaceAll(/"(druid-queries|gateways)"/g, '"leader"');
  listener.address = at('127.0.0.1', port);
  listeners.push(JSON.parse(routed));
  clusters.push({
    ...structuredClone(brokers),
    name: 'leader',
    eds_cluster_config: {
      ...structuredClone(brokers.eds_cluster_config),
      service_name: 'druid-coordinator-leader',
    },
  });
  for (const { name, load_assignment: assignment } of clusters) {
    for (const { lb_endpoints: endpoints } of assignment?.endpoints ?? []) {
      endpoints.splice(1);
      const [first] = endpoints;
      if (first === undefined) continue;
      first.endpoint.address =
        name === 'gateways' ? at('127.9.9.9', nodes.port) : at('127.0.0.1', Number(new URL(adminUrl).port));
    }
  }
  const file = join(folder, 'envoy.yaml');
  await writeFile(file, stringify(bootstrap));
  startEngine(envoyProgram(), [
    '-c',
    file,
    '--concurrency',
    '1',
    '--log-level',
    'error',
    '--disable-hot-restart',
  ]);
  const queries = client(`http://127.0.0.1:${port}`);
  await vi.waitFor(async () => expect((await queries('/any', 'GET')).from).toBe('127.9.9.9'), WAIT);
  return { cluster, nodes, queries, leader: client(`http://127.0.0.1:${leaderPort}`) };
}

describe.runIf(HAS_ENVOY)('a running Envoy', () => {
  test('takes the example as it is', async () => {
    const args = ['--mode', 'validate', '-c', join(DEPLOY, 'envoy/envoy.yaml'), '--log-level', 'warning'];
    const checked = await run(envoyProgram(), args);
    expect([checked?.code, checked?.stderr]).toEqual([0, expect.not.stringMatching(/deprecated|error/i)]);
  });

  test('sends requests to the new leader as soon as it is known, and none to the former one', async () => {
    const { cluster, leader, nodes } = await rig();
    const leaders = [nodes.at('127.2.0.1'), nodes.at('127.2.0.2')] as const;
    const took = await swaps(cluster, () => leader(), leaders, 20);
    report('Envoy', took);
    // Some 2 to 3 ms where two cores have nothing else to do.
    expect(took[10]).toBeLessThan(15);
  });

  test('has queries for Brokers with all of their answers, and leaves everything else to gateways', async () => {
    const { cluster, nodes, queries } = await rig();
    // While there is no Broker gateways let queries wait.
    await vi.waitFor(async () => expect((await queries()).from).toBe('127.9.9.9'), WAIT);
    cluster.show({ brokers: [brokerAt(nodes.at('127.3.0.1')), brokerAt(nodes.at('127.3.0.2'))] });
    await vi.waitFor(async () => expect((await queries()).from).toMatch(/^127\.3/), WAIT);
    for (const path of ['/druid/v2', '/druid/v2/', '/druid/v2/sql', '/druid/v2/sql/?x=1']) {
      expect(await queries(path)).toMatchObject({ from: expect.stringMatching(/^127\.3/), complete: true });
    }
    for (const path of [
      '/druid/v2/sql/avatica/',
      '/druid/v2/sql/statements',
      '/druid/coordinator/v1/leader',
    ]) {
      expect(await queries(path)).toMatchObject({ from: '127.9.9.9', complete: true });
    }
    expect((await queries('/druid/v2/some-id', 'DELETE')).from).toBe('127.9.9.9');
    cluster.show({
      brokers: [
        brokerAt(nodes.at('127.3.0.1'), { ready: false, cordoned: true }),
        brokerAt(nodes.at('127.3.0.2')),
      ],
    });
    await vi.waitFor(async () => {
      for (let i = 0; i < 20; i++) expect((await queries()).from).toBe('127.3.0.2');
    }, WAIT);
  });
});
