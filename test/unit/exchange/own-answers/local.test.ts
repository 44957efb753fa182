import { afterEach, beforeEach, expect, test } from 'vitest';
import { exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let coordinator: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json({ from: 'broker' })));
  coordinator = await startUpstream((_, socket) => socket.write(json({ from: 'coordinator' })));
  gateway = await startHarness({ exchange: { maxWaitMs: 100 } });
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
  await coordinator.close();
});

const ask = (target: string, method = 'GET', extra = ''): Promise<RawAnswer> =>
  exchangeRaw(
    gateway.port,
    `${method} ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n${extra}\r\n`,
  );

const FORWARDED = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';

test('the Router’s own small answers', async () => {
  for (const [target, status, body] of [
    ['/proxy/enabled', 200, '{"enabled":true}'],
    ['/status/health', 200, 'true'],
    ['/status/ready', 200, 'true'],
    ['/status/selfDiscovered/status', 200, '{"selfDiscovered":true}'],
    ['/status/selfDiscovered', 200, ''],
  ] as const) {
    const answer = await ask(target);
    expect([target, answer.status, answer.body.toString()]).toEqual([target, status, body]);
    expect(answer.headers('content-type')).toEqual(['application/json']);
    expect(answer.headers('cache-control')).toEqual(['no-store']);
  }
  gateway.cluster.change({ complete: false });
  expect((await ask('/status/ready')).status).toBe(503);
  expect((await ask('/status/selfDiscovered/status')).body.toString()).toBe('{"selfDiscovered":false}');
  const head = await ask('/status/health', 'HEAD');
  expect([head.status, head.header('content-length')]).toEqual([200, '4']);
  const options = await ask('/druid/v2/sql', 'OPTIONS');
  expect([options.status, options.header('allow')]).toEqual([204, FORWARDED]);
});

test('a gateway that shuts down is alive and not ready', async () => {
  const draining = await startHarness({ deps: { draining: () => true } });
  try {
    const statusOf = async (target: string): Promise<[number, string]> => {
      const head = `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
      const { status, body } = await exchangeRaw(draining.port, head);
      return [status, body.toString()];
    };
    expect(await statusOf('/status/ready')).toEqual([503, 'false']);
    expect(await statusOf('/status/health')).toEqual([200, 'true']);
  } finally {
    await draining.close();
  }
});

test('/status comes from a Broker, without one from the leading Coordinator, with the caller’s credentials', async () => {
  gateway.cluster.lead('coordinator', coordinator.origin);
  expect((await ask('/status?capabilities')).json()).toEqual({ from: 'coordinator' });
  gateway.cluster.brokers(broker.origin);
  expect((await ask('/status?capabilities')).json()).toEqual({ from: 'broker' });
  expect(broker.requests[0]?.target).toBe('/status?capabilities');
  expect(broker.requests[0]?.header('authorization')).toBe('Basic YTpi');
  const [record] = await gateway.recorded(1);
  expect(record).toMatchObject({ role: 'local', class: 'local', upstream: coordinator.hostAndPort });
});

test('/status/properties says that the management proxy is on, and nothing else is changed', async () => {
  gateway.cluster.brokers(broker.origin);
  const properties = { 'druid.host': 'b', 'druid.router.managementProxy.enabled': 'false', 'a"b': 'ä\\' };
  broker.script = (_, socket) => socket.write(json(properties));
  const answer = await ask('/status/properties', 'GET', 'Accept-Encoding: gzip\r\n');
  expect(answer.json()).toEqual({ ...properties, 'druid.router.managementProxy.enabled': 'true' });
  expect(broker.requests[0]?.header('accept-encoding')).toBeUndefined();
  broker.script = (_, socket) => socket.write(json([1]));
  expect((await ask('/status/properties')).status).toBe(502);
  broker.script = (_, socket) => socket.write(plain('403 Forbidden', ['Content-Type: text/html'], 'no'));
  expect((await ask('/status/properties')).body.toString()).toBe('no');
});

test('the list of Brokers is given to whom Druid lets read its state', async () => {
  const brokers = '/druid/router/v1/brokers';
  expect((await ask(brokers)).json()).toEqual({ 'druid/broker': [] });
  gateway.cluster.brokers(broker.origin, coordinator.origin);
  const list = await ask(brokers);
  expect(list.json()).toEqual({ 'druid/broker': [broker.hostAndPort, coordinator.hostAndPort] });
  expect(broker.requests[0]).toMatchObject({ method: 'GET', target: '/druid/broker/v1/loadstatus' });
  broker.script = (_, socket) => socket.write(plain('401 Unauthorized', ['WWW-Authenticate: Basic'], ''));
  const refused = await ask(brokers);
  expect([refused.status, refused.header('www-authenticate')]).toEqual([401, 'Basic']);
  gateway.cluster.change({ pools: new Map() });
  expect((await ask(brokers)).status).toBe(503);
});

test('refusals are JSON in Druid’s shape, with Allow where it helps', async () => {
  const unknown = await ask('/nowhere?secret=1');
  expect(unknown.status).toBe(404);
  expect(unknown.json()).toMatchObject({
    error: 'druidException',
    errorCode: 'path_unknown',
    category: 'NOT_FOUND',
  });
  const method = await ask('/druid/v2', 'TRACE');
  expect([method.status, method.header('allow')]).toEqual([405, FORWARDED]);
  const records = await gateway.recorded(2);
  expect(records[0]).toMatchObject({
    role: 'refused',
    path: '/nowhere',
    reason: 'path_unknown',
    status: 404,
    attempts: 0,
  });
});
