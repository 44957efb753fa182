import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRedirectPolicy } from '../../../../src/routing/redirect/redirect-policy.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { eventually } from '../../../kit/eventually.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;
/** Answers a request that the node has taken. */
let held: (() => void)[];
let internalErrors: number;

beforeEach(async () => {
  held = [];
  internalErrors = 0;
  node = await startUpstream((_, socket) => void held.push(() => socket.write(json('ok'))));
});

afterEach(async () => {
  await gateway.close();
  expect(gateway.errors.total).toBe(internalErrors);
  await node.close();
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  const redirectPolicy = createRedirectPolicy({
    mode: { coordinator: 'redirect', overlord: 'redirect', broker: 'redirect' },
    methods: ['GET', 'POST'],
    clients: [],
    addresses: [],
  });
  gateway = await startHarness({ redirectPolicy, ...options });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
}

const TASK = '/druid/indexer/v1/task';
const READ = '/druid/coordinator/v1/metadata/datasources?full';
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = (target: string, body: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const ask = (request: string): Promise<RawAnswer> => exchangeRaw(gateway.port, request);
const placeOf = (answer: RawAnswer): unknown[] => [answer.status, answer.header('location')];

test.each<[string, string, string, string]>([
  ['a read', get(READ), READ, 'coordinator'],
  ['a write with a body', post(TASK, '{}'), TASK, 'overlord'],
  ['a body of many pieces', post(TASK, 'x'.repeat(300_000)), TASK, 'overlord'],
  [
    'a body of unknown length',
    `POST ${TASK} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    TASK,
    'overlord',
  ],
  ['a query', post('/druid/v2/sql', '{}'), '/druid/v2/sql', 'broker'],
])('%s is redirected, and recorded so; the connection goes on', async (_, request, target, role) => {
  await begin();
  const client = await connectRaw(gateway.port);
  client.send(request);
  expect(placeOf(await client.answer())).toEqual([307, node.origin + target]);
  client.send(get(READ));
  expect(placeOf(await client.answer())).toEqual([307, node.origin + READ]);
  client.close();
  const [record] = await gateway.recorded(2);
  const upstream = node.origin.replace('http://', '');
  expect(record).toMatchObject({ role, status: 307, redirected: true, upstream, attempts: 0, reason: null });
  expect(node.requests).toHaveLength(0);
});

test('a method that is not redirected is relayed', async () => {
  await begin();
  const answer = ask(`DELETE /druid/coordinator/v1/lookups/config/a/b HTTP/1.1\r\nHost: a\r\n\r\n`);
  await eventually(async () => held.length === 1);
  held[0]?.();
  expect((await answer).status).toBe(200);
});

test('nobody is redirected while there is no leader, and whoever waited is once there is', async () => {
  await begin();
  gateway.cluster.unlead('coordinator');
  const answer = ask(get(READ));
  await eventually(async () => gateway.waitQueue.waiting('coordinator') === 1);
  gateway.cluster.lead('coordinator', node.origin);
  expect(placeOf(await answer)).toEqual([307, node.origin + READ]);
});

test('a leader that has room for small requests alone gets no large ones', async () => {
  await begin({ exchange: { maxPerNodeForLarge: 1, maxQueueMs: 50 } });
  const relayed = ask(`DELETE /druid/coordinator/v1/lookups/config/a/b HTTP/1.1\r\nHost: a\r\n\r\n`);
  await eventually(async () => held.length === 1);
  expect((await ask(post('/druid/coordinator/v1/lookups/config', 'x'.repeat(300_000)))).status).toBe(503);
  expect((await ask(get(READ))).status).toBe(307);
  held[0]?.();
  await relayed;
});

test('a gateway that cannot keep up refuses, and does not redirect', async () => {
  await begin();
  gateway.pressure.high = true;
  const answer = await ask(get(READ));
  expect([answer.status, answer.json().errorCode]).toEqual([503, 'overloaded']);
});

test('a fault in the decision fails the request alone', async () => {
  internalErrors = 1;
  await begin({
    redirectPolicy: (role) => {
      if (role === 'overlord') throw new Error('broken');
      return 'http://elsewhere';
    },
  });
  expect((await ask(get(TASK))).status).toBe(500);
  expect(placeOf(await ask(get(READ)))).toEqual([307, `http://elsewhere${READ}`]);
});
