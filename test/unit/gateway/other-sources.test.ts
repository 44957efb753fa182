import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import type { SharedView } from '../../../src/feeds/shared-view.ts';
import { createGateway, type Gateway } from '../../../src/gateway/gateway.ts';
import { startFakeConsul } from '../../kit/consul/fake-consul.ts';
import { LEADER_KEYS, PREFIX } from '../../kit/discovery/consul-rig.ts';
import { CLUSTER, Election, NAMESPACE, nodeInfo, podOf } from '../../kit/kubernetes/druid-pods.ts';
import { startFakeApiServer } from '../../kit/kubernetes/fake-api-server.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface FakeNode {
  readonly upstream: FakeUpstream;
  leads: boolean;
}

/** A node that says who it is to whatever else it is asked. */
async function node(name: string): Promise<FakeNode> {
  const self: FakeNode = {
    leads: false,
    upstream: await startUpstream(({ target }, socket) => {
      if (target.endsWith('/isLeader')) {
        socket.write(json({ leader: self.leads }, self.leads ? '200 OK' : '404 Not Found'));
      } else if (target.startsWith('/druid/broker/v1/readiness') || target === '/status/ready') {
        socket.write(plain('200 OK', [], ''));
      } else socket.write(json({ name }));
    }),
  };
  closing.push(() => self.upstream.close());
  return self;
}

async function gatewayWith(environment: Readonly<Record<string, string>>): Promise<{
  readonly url: string;
  readonly admin: string;
}> {
  const config = loadConfig({
    environment: {
      DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__SHUTDOWN__DRAIN: '400ms',
      ...environment,
    },
  });
  const gateway: Gateway = createGateway(config, { logger: pino({ level: 'silent' }), version: '0' });
  closing.push(() => gateway.stop());
  const { listen, admin } = await gateway.start();
  return { url: listen, admin };
}

/** The name of who answers; the gateway has it wait for a leader or a Broker if there is none yet. */
async function whoAnswers(url: string, path: string): Promise<string> {
  const answer = await fetch(url + path);
  return ((await answer.json()) as { name: string }).name;
}

const CONFIG = '/druid/coordinator/v1/config';
const DATASOURCES = '/druid/v2/datasources';

describe('Kubernetes', () => {
  test('nodes are reached at their pods, by names that nobody can resolve, and a swap is followed', async () => {
    const api = await startFakeApiServer();
    closing.push(() => api.close());
    const elections: Readonly<Record<MasterRole, Election>> = {
      coordinator: new Election(api, 'coordinator'),
      overlord: new Election(api, 'overlord'),
    };
    const [c0, c1, broker] = [await node('c0'), await node('c1'), await node('b0')];
    const announce = (
      name: string,
      role: 'coordinator' | 'broker',
      { upstream }: FakeNode,
      podIP = '127.0.0.1',
    ): string => {
      const host = `${name}.druid.invalid`;
      const pod = podOf(name, { roles: [role], host, port: upstream.port, podIP });
      api.put('pods', NAMESPACE, pod);
      return `http://${host}:${upstream.port}`;
    };
    const [origin0, origin1] = [announce('c0', 'coordinator', c0), announce('c1', 'coordinator', c1)];
    announce('b0', 'broker', broker);
    c0.leads = true;
    await elections.coordinator.elect(origin0);
    const { url, admin } = await gatewayWith({
      DRUID_GATEWAY__DISCOVERY__TYPE: 'kubernetes',
      DRUID_GATEWAY__KUBERNETES__SERVER: api.url,
      DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: CLUSTER,
      DRUID_GATEWAY__KUBERNETES__NAMESPACE: NAMESPACE,
      DRUID_GATEWAY__KUBERNETES__ADDRESS: 'podIP',
    });
    expect(await whoAnswers(url, CONFIG)).toBe('c0');
    expect(await whoAnswers(url, DATASOURCES)).toBe('b0');
    // Others are told where the gateway itself goes, and hear when that alone changes.
    const view = async (query = ''): Promise<SharedView> =>
      (await (await fetch(`${admin}/view${query}`)).json()) as SharedView;
    const { version, ...shared } = await view();
    expect(shared).toMatchObject({
      leaders: { coordinator: { host: 'c0.druid.invalid', address: '127.0.0.1' } },
      brokers: [{ host: 'b0.druid.invalid', address: '127.0.0.1' }],
    });
    const targets = async (): Promise<string> => (await fetch(`${admin}/sd/prometheus`)).text();
    expect(await targets()).toContain(`"127.0.0.1:${broker.upstream.port}"`);
    const changed = view(`?version=${version}&wait=20s`);
    announce('b0', 'broker', broker, '127.0.0.2');
    expect((await changed).brokers).toMatchObject([{ address: '127.0.0.2', host: 'b0.druid.invalid' }]);
    expect(await targets()).toContain(`"127.0.0.2:${broker.upstream.port}"`);
    const asked = await fetch(`${admin}/v3/discovery:endpoints`, {
      method: 'POST',
      body: JSON.stringify({ resource_names: ['druid-coordinator-leader', 'druid-brokers:druid/broker'] }),
      headers: { 'content-type': 'application/json' },
    });
    expect(JSON.stringify(await asked.json())).toMatch(
      /"address":"127\.0\.0\.1",.*"address":"127\.0\.0\.2",/,
    );
    c0.leads = false;
    c1.leads = true;
    await elections.coordinator.elect(origin1);
    await expect.poll(() => whoAnswers(url, CONFIG)).toBe('c1');
    expect(await (await fetch(`${admin}/status`)).json()).toMatchObject({
      discovery: { kind: 'kubernetes', state: 'connected' },
      leaders: { coordinator: { state: 'serving', node: origin1.slice('http://'.length), term: 1 } },
    });
  });
});

describe('Consul', () => {
  test('a request that came in an election goes to the next leader', async () => {
    const consul = await startFakeConsul();
    closing.push(() => consul.close());
    const [c0, c1] = [await node('c0'), await node('c1')];
    for (const { upstream } of [c0, c1]) {
      const id = `${PREFIX}-coordinator-127.0.0.1-${upstream.port}`;
      const key = `${PREFIX}/nodes/${id}`;
      consul.putKey(key, nodeInfo('coordinator', '127.0.0.1', upstream.port));
      consul.register(`${PREFIX}-coordinator`, id, { druid_node_kv: key });
    }
    c0.leads = true;
    consul.acquire(LEADER_KEYS.coordinator, c0.upstream.origin);
    const { url, admin } = await gatewayWith({
      DRUID_GATEWAY__DISCOVERY__TYPE: 'consul',
      DRUID_GATEWAY__CONSUL__SERVER: consul.url,
      DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: PREFIX,
    });
    expect(await whoAnswers(url, CONFIG)).toBe('c0');
    c0.leads = false;
    consul.deleteKey(LEADER_KEYS.coordinator);
    await expect
      .poll(async () => (await (await fetch(`${admin}/status`)).json()) as object)
      .toMatchObject({ leaders: { coordinator: { state: 'none', waitReason: 'no_leader' } } });
    const waiting = whoAnswers(url, CONFIG);
    c1.leads = true;
    consul.acquire(LEADER_KEYS.coordinator, c1.upstream.origin);
    expect(await waiting).toBe('c1');
  });
});
