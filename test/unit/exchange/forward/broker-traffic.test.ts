import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeTotals } from '../../../../src/cluster/node-traffic.ts';
import { connectRaw, exchangeRaw } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import {
  type FakeUpstream,
  json,
  plain,
  type Script,
  startUpstream,
} from '../../../kit/upstream/fake-upstream.ts';

let gateway: Harness;
let brokers: FakeUpstream[];

beforeEach(async () => {
  brokers = [];
  gateway = await startHarness({ upstreams: { responseTimeoutMs: 300 } });
});
afterEach(async () => {
  await gateway.close();
  await Promise.all(brokers.map((broker) => broker.close()));
});

async function broker(script: Script): Promise<FakeUpstream> {
  const upstream = await startUpstream(script);
  brokers.push(upstream);
  return upstream;
}

function counted(origin: string): Pick<NodeTotals, 'attempts' | 'errors'> {
  const node = gateway.cluster.view.nodes.get(origin);
  if (node === undefined) throw new Error(`${origin} is not known`);
  const { attempts, errors } = node.traffic.totals;
  return { attempts, errors };
}

const GET = 'GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\n';
const get = () => exchangeRaw(gateway.port, `${GET}Connection: close\r\n\r\n`).catch(() => null);

test.each<[string, Script, { attempts: number; errors: number }]>([
  ['an answer', (_, socket) => socket.write(json('here')), { attempts: 1, errors: 0 }],
  ['an answer of 400', (_, socket) => socket.write(json({}, '400 Bad Request')), { attempts: 1, errors: 0 }],
  ["Druid's own 500", (_, socket) => socket.write(json({}, '500 Oops')), { attempts: 1, errors: 1 }],
  [
    'a 503 that is not of Druid',
    (_, socket) => socket.write(plain('503 Service Unavailable', ['Content-Type: text/html'], 'x')),
    { attempts: 1, errors: 1 },
  ],
  [
    'an answer that breaks off',
    (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', () => socket.destroy());
    },
    { attempts: 1, errors: 1 },
  ],
  [
    'a 500 that breaks off',
    (_, socket) => {
      socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\nabc', () => socket.destroy());
    },
    { attempts: 1, errors: 1 },
  ],
  ['no answer in time', () => {}, { attempts: 1, errors: 1 }],
])('%s is counted once', async (_, script, expected) => {
  const { origin } = await broker(script);
  gateway.cluster.brokers(origin);
  await get();
  await gateway.recorded(1);
  expect(counted(origin)).toEqual(expected);
});

test('a Broker that refuses connections and the one that answers instead are counted by themselves', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  const { origin } = await broker((_, socket) => socket.write(json('here')));
  gateway.cluster.brokers(`http://127.0.0.1:${port}`, origin);
  for (let i = 0; i < 8; i++) await get();
  const refused = counted(`http://127.0.0.1:${port}`);
  expect(refused.attempts).toBeGreaterThan(0);
  expect(refused.errors).toBe(refused.attempts);
  expect(counted(origin)).toEqual({ attempts: 8, errors: 0 });
});

test('the latency is the time until the head, whatever the body takes', async () => {
  const { origin } = await broker((_, socket) => {
    setTimeout(() => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na');
      setTimeout(() => socket.write('bc'), 200);
    }, 60);
  });
  gateway.cluster.brokers(origin);
  await get();
  const { latencyMs } = gateway.cluster.view.nodes.get(origin)?.traffic.totals ?? { latencyMs: 0 };
  expect(latencyMs).toBeGreaterThan(50);
  expect(latencyMs).toBeLessThan(200);
});

test('a client that leaves before the answer says nothing of the Broker', async () => {
  const { origin } = await broker(() => {});
  gateway.cluster.brokers(origin);
  const client = await connectRaw(gateway.port);
  client.socket.write(`${GET}\r\n`);
  while (brokers[0]?.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  client.socket.destroy();
  await gateway.recorded(1);
  expect(counted(origin)).toEqual({ attempts: 0, errors: 0 });
});

test('a master is not counted', async () => {
  const { origin } = await broker((_, socket) => socket.write(json('here')));
  gateway.cluster.lead('coordinator', origin);
  await exchangeRaw(gateway.port, 'GET /druid/coordinator/v1/servers HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(counted(origin)).toEqual({ attempts: 0, errors: 0 });
});
