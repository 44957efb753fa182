import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Role } from '../../src/discovery/discovery.ts';
import { startTraffic } from '../kit/clients/traffic.ts';
import {
  type ChangingGateway,
  type NamedNode,
  startChangingGateway,
  startNamedNode,
} from '../kit/gateway/changing-gateway.ts';
import { CLUSTER, Election, NAMESPACE, podOf } from '../kit/kubernetes/druid-pods.ts';
import { type FakeApiServer, startFakeApiServer } from '../kit/kubernetes/fake-api-server.ts';
import { startProxy, type TcpProxy } from '../kit/net/tcp-proxy.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';

let ensemble: Ensemble;
let writer: Writer;
let proxy: TcpProxy;
let api: FakeApiServer;
let nodes: Record<Role, NamedNode>;
let gateway: ChangingGateway;

/** A swap takes milliseconds, and requests that are not let go wait for 40 s. */
const LONGEST_MS = 10_000;
const SLOW = { timeout: 20_000 };

beforeAll(async () => {
  ensemble = await startEnsemble({ servers: 1 });
  writer = await connectWriter(ensemble.connect);
  proxy = await startProxy(ensemble.servers[0]?.port ?? 0);
  api = await startFakeApiServer();
  nodes = {
    coordinator: await startNamedNode('coordinator'),
    overlord: await startNamedNode('overlord'),
    broker: await startNamedNode('broker'),
  };
  for (const role of ['coordinator', 'overlord', 'broker'] as const) {
    const { upstream } = nodes[role];
    nodes[role].leads = role !== 'broker';
    await writer.announce(`/druid/internal-discovery/${role.toUpperCase()}`, role, upstream.port);
    api.put('pods', NAMESPACE, podOf(role, { roles: [role], host: '127.0.0.1', port: upstream.port }));
    if (role === 'broker') continue;
    await writer.elect(`/druid/${role}/_${role.toUpperCase()}`, upstream.origin);
    // The first term of both sources has the number 0.
    await new Election(api, role).elect(upstream.origin);
  }
});

afterAll(async () => {
  await gateway?.stop();
  for (const node of Object.values(nodes)) await node.upstream.close();
  await api.close();
  await proxy.close();
  writer.close();
  await ensemble.close();
});

const kept = { snapshotFile: 'FOLDER/snapshot.json' };
const sources = () => ({
  zookeeper: {
    discovery: { type: 'zookeeper', ...kept },
    zookeeper: { connect: `127.0.0.1:${proxy.port}` },
  },
  kubernetes: {
    discovery: { type: 'kubernetes', fallback: ['static'], ...kept },
    kubernetes: { clusterIdentifier: CLUSTER, namespace: NAMESPACE, server: api.url },
    static: { coordinators: [nodes.coordinator.upstream.origin] },
  },
  static: {
    discovery: { type: 'static' },
    static: {
      coordinators: [nodes.coordinator.upstream.origin],
      overlords: [nodes.overlord.upstream.origin],
      brokers: [nodes.broker.upstream.origin],
    },
  },
});

test('the source is changed again and again under load, and no request is lost or kept waiting', async () => {
  const { zookeeper, kubernetes, static: named } = sources();
  gateway = await startChangingGateway(zookeeper);
  const { url } = gateway;
  let slowest = 0;
  let asked = 0;
  const paths = ['/druid/coordinator/v1/config', '/druid/indexer/v1/workers', '/druid/v2/datasources'];
  const timed = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const began = performance.now();
    const answer = await fetch(url + path, init);
    slowest = Math.max(slowest, performance.now() - began);
    return answer;
  };
  await Promise.all(paths.map((path) => timed(path)));
  slowest = 0;
  const traffic = startTraffic({
    read: () => timed(paths[asked++ % paths.length] ?? ''),
    write: () => ({ name: 'task', sent: timed('/druid/indexer/v1/task', { method: 'POST', body: '{}' }) }),
    readsPerSecond: 150,
    writesPerSecond: 50,
  });
  const held = async (): Promise<object> => ({
    zookeeper: proxy.open,
    watches: api.openWatches,
    snapshot: JSON.parse(await readFile(join(gateway.folder, 'snapshot.json'), 'utf8')).content.cluster,
  });
  for (let change = 1; change <= 20; change++) {
    const next = [zookeeper, kubernetes, named][change % 3] ?? named;
    const result = await gateway.reload(next);
    expect(result).toMatchObject({ reloaded: true, needsRestart: [] });
    const { discovery, leaders, config } = await gateway.status();
    expect(discovery).toMatchObject({ kind: next.discovery.type, state: 'connected' });
    expect(config.discovery.type).toBe(next.discovery.type);
    expect(leaders.coordinator.node).toBe(nodes.coordinator.upstream.origin.slice('http://'.length));
    const session = await gateway.metric('druid_gateway_zookeeper_watches');
    expect(session === undefined).toBe(next !== zookeeper);
    await traffic.succeeded(20);
  }
  expect(await gateway.reload(kubernetes)).toMatchObject({ reloaded: true });
  await expect
    .poll(held, SLOW)
    .toMatchObject({ zookeeper: 0, watches: 3, snapshot: `kubernetes ${NAMESPACE} ${CLUSTER}` });
  expect(await gateway.reload(zookeeper)).toMatchObject({ reloaded: true });
  await expect
    .poll(held, SLOW)
    .toMatchObject({ zookeeper: 1, watches: 0, snapshot: expect.stringContaining('/druid') });
  await expect
    .poll(() => gateway.status(), SLOW)
    .toMatchObject({ leaders: { coordinator: { state: 'serving', term: 0 } } });
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
  expect(traffic.writes.filter(({ status }) => status !== 200)).toEqual([]);
  expect(traffic.reads).toBeGreaterThan(400);
  expect(slowest).toBeLessThan(LONGEST_MS);
});
