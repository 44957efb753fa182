import { afterEach, beforeEach, expect, test } from 'vitest';
import { startFakeConsul } from '../../kit/consul/fake-consul.ts';
import { LEADER_KEYS, PREFIX } from '../../kit/discovery/consul-rig.ts';
import {
  type ChangingGateway,
  type NamedNode,
  startChangingGateway,
  startNamedNode,
} from '../../kit/gateway/changing-gateway.ts';
import { CLUSTER, Election, NAMESPACE, nodeInfo, podOf } from '../../kit/kubernetes/druid-pods.ts';
import { type FakeApiServer, startFakeApiServer } from '../../kit/kubernetes/fake-api-server.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

let api: FakeApiServer;
let master: NamedNode;
let other: NamedNode;
let gateway: ChangingGateway;

const SLOW = { timeout: 20_000 };
const CONFIG = '/druid/coordinator/v1/config';
const hostOf = ({ upstream }: NamedNode): string => upstream.origin.slice('http://'.length);
const kubernetes = (more: object = {}) => ({
  discovery: { type: 'kubernetes' },
  kubernetes: { clusterIdentifier: CLUSTER, namespace: NAMESPACE, server: api.url },
  ...more,
});

async function whoAnswers(): Promise<string> {
  return ((await (await fetch(gateway.url + CONFIG)).json()) as { name: string }).name;
}

beforeEach(async () => {
  api = await startFakeApiServer();
  closing.push(() => api.close());
  master = await startNamedNode('master');
  other = await startNamedNode('other');
  for (const node of [master, other]) closing.push(() => node.upstream.close());
  master.leads = true;
  api.put(
    'pods',
    NAMESPACE,
    podOf('c0', { roles: ['coordinator'], host: '127.0.0.1', port: master.upstream.port }),
  );
  await new Election(api, 'coordinator').elect(master.upstream.origin);
  gateway = await startChangingGateway(kubernetes());
  closing.push(() => gateway.stop());
  await expect
    .poll(() => gateway.status(), SLOW)
    .toMatchObject({ leaders: { coordinator: { state: 'serving' } } });
});

test('requests go to the leader that another source names, and the default of parking goes with it', async () => {
  const consul = await startFakeConsul();
  closing.push(() => consul.close());
  const id = `${PREFIX}-coordinator-127.0.0.1-${other.upstream.port}`;
  consul.putKey(`${PREFIX}/nodes/${id}`, nodeInfo('coordinator', '127.0.0.1', other.upstream.port));
  consul.register(`${PREFIX}-coordinator`, id, { druid_node_kv: `${PREFIX}/nodes/${id}` });
  consul.acquire(LEADER_KEYS.coordinator, other.upstream.origin);
  other.leads = true;
  expect(await whoAnswers()).toBe('master');
  const result = await gateway.reload({
    discovery: { type: 'consul' },
    consul: { server: consul.url, servicePrefix: PREFIX },
  });
  expect(result).toMatchObject({
    reloaded: true,
    changed: expect.arrayContaining(['discovery.type', 'consul.server', 'parking.maxWait']),
    needsRestart: [],
  });
  expect(await whoAnswers()).toBe('other');
  expect(await gateway.status()).toMatchObject({
    discovery: { kind: 'consul', state: 'connected' },
    leaders: { coordinator: { state: 'serving', node: hostOf(other) } },
    config: { parking: { maxWait: 110_000 } },
  });
  expect(gateway.lines).toContainEqual(
    expect.objectContaining({ discovery: 'consul', state: 'connected', msg: 'discovery state' }),
  );
  await expect.poll(() => api.openSockets, SLOW).toBe(0);
});

test('with a configuration that cannot be taken up the source stays, and the other one is closed', async () => {
  const second = await startFakeApiServer();
  closing.push(() => second.close());
  const kept = api.openWatches;
  const auth = { user: 'u', passwordFile: 'none' };
  const rules = { tiers: { hot: 'druid/hot', cold: 'druid/broker' }, loadRules: { auth } };
  const result = await gateway.reload({
    ...kubernetes({ brokers: rules }),
    kubernetes: { ...kubernetes().kubernetes, server: second.url },
  });
  expect(result).toMatchObject({
    reloaded: false,
    problems: [expect.stringContaining('brokers.loadRules.auth.passwordFile')],
  });
  await expect.poll(() => second.openSockets, SLOW).toBe(0);
  expect([await whoAnswers(), api.openWatches]).toEqual(['master', kept]);
});

test('settings that make no source are refused at once, and what is said of others changes none', async () => {
  const watches = api.openWatches;
  const { server: _, ...outside } = kubernetes().kubernetes;
  expect(await gateway.reload({ ...kubernetes(), kubernetes: outside })).toMatchObject({
    reloaded: false,
    problems: [expect.stringContaining('kubernetes.server is missing')],
  });
  const lists = api.requests.length;
  const unused = { zookeeper: { connect: 'other:2181' }, static: { brokers: ['http://b:8082'] } };
  expect(await gateway.reload(kubernetes(unused))).toMatchObject({
    reloaded: true,
    changed: ['zookeeper.connect', 'static.brokers'],
  });
  expect([api.requests.length, api.openWatches]).toEqual([lists, watches]);
});

test('what may be named is taken up: a leader that may not be used is one no longer', async () => {
  expect(await whoAnswers()).toBe('master');
  const allow = { networks: ['10.0.0.0/8'] };
  expect(await gateway.reload({ ...kubernetes(), discovery: { type: 'kubernetes', allow } })).toMatchObject({
    reloaded: true,
    changed: ['discovery.allow.networks'],
  });
  await expect
    .poll(() => gateway.status(), SLOW)
    .toMatchObject({ leaders: { coordinator: { node: null } }, discovery: { state: 'connected' } });
  expect(gateway.lines).toContainEqual(expect.objectContaining({ msg: 'discovery fault' }));
});
