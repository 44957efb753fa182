import { type FastifyInstance, fastify } from 'fastify';
import { beforeEach, expect, test } from 'vitest';
import { registerBrokerActions } from '../../../src/admin/broker-actions.ts';
import { FakeCluster, node } from './fakes.ts';

let app: FastifyInstance;
let cluster: FakeCluster;
const broker = node('10.0.0.1:8082', 2);

beforeEach(() => {
  broker.recount(2);
  cluster = new FakeCluster();
  cluster.cordon = (hostAndPort: string, on: boolean) => {
    const cordoned = new Set(cluster.view.cordoned);
    if (on) cordoned.add(hostAndPort);
    else cordoned.delete(hostAndPort);
    cluster.show({ cordoned });
  };
  cluster.show({
    brokers: [
      { node: broker, service: 'druid/broker', ready: true, cordoned: false, ejected: false, why: 'ready' },
    ],
  });
  app = fastify();
  registerBrokerActions(app, cluster);
});

async function post(path: string, headers: Record<string, string> = {}) {
  const response = await app.inject({ method: 'POST', url: `/brokers/${path}`, headers });
  return { status: response.statusCode, body: response.json() as unknown };
}

test('a cordoned Broker keeps what it does, and is returned', async () => {
  expect(await post('10.0.0.1:8082/cordon')).toEqual({
    status: 200,
    body: { node: '10.0.0.1:8082', cordoned: true, drained: false, outstanding: 2 },
  });
  expect(await post('10.0.0.1:8082/return')).toMatchObject({ status: 200, body: { cordoned: false } });
});

test('a Broker is found in any spelling of its address', async () => {
  const name = encodeURIComponent('[::FFFF:10.0.0.1]:8082');
  expect(await post(`${name}/cordon`)).toMatchObject({ status: 200, body: { node: '10.0.0.1:8082' } });
  expect(await post(`${name}/return`)).toMatchObject({ status: 200, body: { cordoned: false } });
});

test('a drain answers when the Broker has nothing to do any more', async () => {
  const drained = post('10.0.0.1:8082/drain');
  while (!cluster.view.cordoned.has('10.0.0.1:8082')) await new Promise((resolve) => setImmediate(resolve));
  broker.recount(0);
  expect(await drained).toMatchObject({ status: 200, body: { drained: true, outstanding: 0 } });
});

test('a drain that takes too long says so, and the Broker stays cordoned', async () => {
  expect(await post('10.0.0.1:8082/drain?timeout=30ms')).toEqual({
    status: 202,
    body: { node: '10.0.0.1:8082', cordoned: true, drained: false, outstanding: 2 },
  });
});

test('one that is not announced now can be returned, but not cordoned', async () => {
  await post('10.0.0.1:8082/cordon');
  cluster.show({ brokers: [] });
  expect(await post('10.0.0.1:8082/return')).toMatchObject({ status: 200, body: { cordoned: false } });
  expect(await post('10.0.0.1:8082/cordon')).toEqual({
    status: 404,
    body: { error: 'no such Broker', brokers: [] },
  });
});

test('what is wrong is said', async () => {
  expect(await post('10.0.0.1:8082/explode')).toMatchObject({ status: 404 });
  expect(await post('10.0.0.9:8082/drain')).toEqual({
    status: 404,
    body: { error: 'no such Broker', brokers: ['10.0.0.1:8082'] },
  });
  expect(await post('10.0.0.1:8082/drain?timeout=soon')).toMatchObject({ status: 400 });
  expect(await post('10.0.0.1:8082/drain?timeout=1s&timeout=2s')).toMatchObject({ status: 400 });
  expect(await post('10.0.0.1:8082/drain', { origin: 'https://evil.example' })).toMatchObject({
    status: 403,
  });
  expect(cluster.view.cordoned.size).toBe(0);
});

test('a drain ends when its client has gone, and the Broker stays cordoned', async () => {
  let looks = 0;
  const listening = fastify();
  registerBrokerActions(listening, cluster, async () => {
    looks++;
    return true;
  });
  const url = await listening.listen({ host: '127.0.0.1', port: 0 });
  const gone = new AbortController();
  const path = `${url}/brokers/10.0.0.1:8082/drain?timeout=999999999999h`;
  const drain = fetch(path, { method: 'POST', signal: gone.signal }).catch(() => {});
  while (looks < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  gone.abort();
  await drain;
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = looks;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(looks).toBe(before);
  expect(cluster.view.cordoned.has('10.0.0.1:8082')).toBe(true);
  await listening.close();
});
