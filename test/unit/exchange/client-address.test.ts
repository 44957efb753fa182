import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAddressSet } from '../../../src/net/address-set.ts';
import { createRedirectPolicy } from '../../../src/routing/redirect/redirect-policy.ts';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  node = await startUpstream((_, socket) => socket.write(plain('200 OK', [], '')));
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

async function start(trusted: boolean, more: Parameters<typeof startHarness>[0] = {}): Promise<void> {
  const trusts = createAddressSet(trusted ? ['127.0.0.1', '10.0.0.0/8'] : []);
  gateway = await startHarness({ ...more, exchange: { trusts } });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
}

function ask(line: string, ...headers: string[]): Promise<RawAnswer> {
  return exchangeRaw(gateway.port, [`${line} HTTP/1.1`, 'Host: gw', ...headers, '', ''].join('\r\n'));
}

const FORGED = [
  'X-Forwarded-For: 10.1.1.1, 203.0.113.7, 10.0.0.2',
  'X_Forwarded_For: 10.1.1.1',
  'Forwarded: for=10.1.1.1',
  'X-Forwarded-Proto: gopher',
  'X-Forwarded-Host: a b',
];

/** One path for each way that a request takes through the gateway. */
describe.each([
  'GET /druid/v2/datasources',
  'GET /druid/coordinator/v1/datasources',
  'DELETE /druid/v2/sql/some-id',
  'GET /status',
  'GET /status/properties',
  'GET /unified-console.html',
])('%s', (line) => {
  test.each([
    ['tells of', true, '203.0.113.7, 10.0.0.2, 127.0.0.1', '203.0.113.7'],
    ['is, where it is a stranger,', false, '127.0.0.1', '127.0.0.1'],
  ])('has the address of the client that the peer %s', async (_, trusted, path, address) => {
    await start(trusted);
    await ask(line, ...FORGED);
    const lines = node.requests[0]?.lines ?? [];
    expect(lines.filter((header) => /^(?:x[-_])?forwarded/i.test(header))).toEqual([
      expect.stringMatching(new RegExp(`^X-Forwarded-For: ${path}$`, 'i')),
      expect.stringMatching(/^X-Forwarded-Proto: https?$/i),
      expect.stringMatching(/^X-Forwarded-Host: gw$/i),
    ]);
    const [record] = await gateway.recorded(1);
    expect(record?.remoteAddress).toBe(address);
  });
});

test.each([
  ['203.0.113.7', 200],
  ['127.0.0.9, 203.0.113.7', 200],
  ['203.0.113.7, 127.0.0.9', 307],
])('a client is redirected by its own address, not by that of its proxy: %s', async (list, status) => {
  const redirectPolicy = createRedirectPolicy({
    mode: { coordinator: 'auto', overlord: 'auto', broker: 'auto' },
    methods: ['GET'],
    clients: ['127.0.0.0/8'],
    addresses: [],
  });
  await start(true, { redirectPolicy });
  expect((await ask('GET /druid/v2/datasources', `X-Forwarded-For: ${list}`)).status).toBe(status);
});

test('a refused request is logged with the address of its client, too', async () => {
  await start(true);
  await ask('GET /nowhere', ...FORGED);
  expect((await gateway.recorded(1))[0]?.remoteAddress).toBe('203.0.113.7');
});
