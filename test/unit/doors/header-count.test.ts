import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasMoreLines } from '../../../src/http/header-block.ts';
import { connectRaw, exchangeRaw } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const MOST = 300;

test.each([
  ['', 0, false],
  ['a:\r\n', 1, false],
  ['a:\r\nb:\r\n', 1, true],
  ['a: long enough for several\r\n', 1, false],
  ['a: b\r\n'.repeat(500), 500, false],
  ['a: b\r\n'.repeat(501), 500, true],
])('%j has more than %i lines: %s', (block, most, more) => {
  expect(hasMoreLines(block, most)).toBe(more);
});

describe.each(['express', 'front'] as const)('%s door', (door) => {
  let node: FakeUpstream;
  let gateway: Harness;

  beforeEach(async () => {
    node = await startUpstream((_, socket) => void socket.write(json({})));
    gateway = await startHarness({ door, limits: { maxHeaders: MOST } });
    gateway.cluster.brokers(node.origin);
    gateway.cluster.lead('coordinator', node.origin);
  });

  afterEach(async () => {
    await gateway.close();
    await node.close();
  });

  const get = (fields: number, line = 'X: y\r\n', target = '/druid/v2/x'): string =>
    `GET ${target} HTTP/1.1\r\nHost: a\r\n${line.repeat(fields - 1)}\r\n`;

  test('as many fields as may be are served', async () => {
    expect((await exchangeRaw(gateway.port, get(MOST))).status).toBe(200);
  });

  test.each([
    ['plain ones', get(MOST + 1)],
    ['what only the front door takes', get(MOST + 1, 'X:\r\n')],
    ['to a page of the console', get(MOST + 1, 'X: y\r\n', '/public/x')],
    ['to a target that cannot be decoded', get(MOST + 1, 'X: y\r\n', '/druid/v2/%ff')],
    [
      'behind a body that is still to come',
      get(MOST, 'X: y\r\n').replace('Host', 'Content-Length: 9\r\nHost'),
    ],
  ])('one more is a 431, and the connection ends: %s', async (_, request) => {
    const client = await connectRaw(gateway.port);
    client.send(request);
    const answer = await client.answer();
    expect([answer.status, answer.json().errorCode]).toEqual([431, 'headers_too_large']);
    await client.ended();
    expect(node.requests).toEqual([]);
  });
});
