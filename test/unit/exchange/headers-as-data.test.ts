import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchangeRaw } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

async function begin(showNode = false): Promise<void> {
  gateway = await startHarness({ exchange: { showNode } });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
}

beforeEach(async () => {
  node = await startUpstream(() => {});
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

/** What every object has, and so is there in one that should be empty. */
const NAMES = [
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', '__defineGetter__'],
  ...['isPrototypeOf', 'propertyIsEnumerable', 'toLocaleString', '__lookupSetter__', 'length', 'name'],
];
/** Of a cancel nothing but this is handed on. */
const statusOf = (line: string): string => (line.startsWith('DELETE') ? '202 Accepted' : '200 OK');
const LINES = NAMES.flatMap((name) => [`${name}: one`, `${name}: two`, `${name.toUpperCase()}: three`]);
const PATHS = [
  ...['GET /druid/v2/x', 'POST /druid/v2/sql', 'DELETE /druid/v2/sql/q', 'GET /druid/coordinator/v1/x'],
  ...['POST /druid/indexer/v1/task', 'GET /unified-console.html', 'GET /public/x.js', 'GET /status'],
] as const;

describe('headers are data, whatever they are called', () => {
  test.each(PATHS)('in the request and in the answer of %s', async (line) => {
    await begin();
    node.script = (_, socket) =>
      socket.write(plain(statusOf(line), ['Content-Type: text/plain', ...LINES], 'ok'));
    const request = `${line} HTTP/1.1\r\nHost: a\r\n${LINES.join('\r\n')}\r\n\r\n`;
    const answer = await exchangeRaw(gateway.port, request);
    expect(answer.status).toBe(Number.parseInt(statusOf(line), 10));
    for (const name of NAMES) {
      expect([name, answer.headers(name)]).toEqual([name, ['one', 'two', 'three']]);
      const sent = node.requests[0]?.lines.filter((each) =>
        each.toLowerCase().startsWith(`${name.toLowerCase()}:`),
      );
      expect([name, sent?.map((each) => each.slice(name.length + 2))]).toEqual([
        name,
        ['one', 'two', 'three'],
      ]);
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
    node.script = (_, socket) => socket.write(json('next'));
    const next = await exchangeRaw(gateway.port, 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(next.status).toBe(200);
  });

  test('in answers that the gateway makes of Druid’s', async () => {
    await begin();
    node.script = (_, socket) =>
      socket.write(plain('200 OK', ['Content-Type: application/json', ...LINES], '{"__proto__":1}'));
    const request = `GET /status/properties HTTP/1.1\r\nHost: a\r\n${LINES.join('\r\n')}\r\n\r\n`;
    expect((await exchangeRaw(gateway.port, request)).body.toString()).toBe(
      '{"__proto__":1,"druid.router.managementProxy.enabled":"true"}',
    );
  });
});

const WHO = ['X-Druid-Server: 10.0.0.7:8082', 'x-druid-service: druid/broker', 'X-DRUID-VERSION: 39.0.0'];

describe('the headers in which a node says who it is', () => {
  test.each(PATHS)('are dropped from the answer to %s, and kept where that is asked for', async (line) => {
    node.script = (_, socket) => socket.write(plain(statusOf(line), [...WHO, 'X-Druid-Query-Id: q'], 'ok'));
    for (const shown of [false, true]) {
      await begin(shown);
      const answer = await exchangeRaw(gateway.port, `${line} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const names = answer.lines.filter((each) => /^x-druid-s|^x-druid-v/i.test(each));
      expect([names.length, answer.header('x-druid-query-id')]).toEqual([shown ? 3 : 0, 'q']);
      if (!shown) await gateway.close();
    }
  });
});

test('a Broker’s readiness is that of the pool', async () => {
  await begin();
  const ask = (method = 'GET') =>
    exchangeRaw(gateway.port, `${method} /druid/broker/v1/readiness HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect([(await ask()).status, (await ask()).body.length, (await ask('HEAD')).status]).toEqual([
    200, 0, 200,
  ]);
  gateway.cluster.services({ 'druid/other': [node.origin] });
  expect((await ask()).status).toBe(503);
  gateway.cluster.brokers();
  expect((await ask()).status).toBe(503);
  expect(node.requests).toEqual([]);
});

test('a POST that only reads is sent again like a read, with its body', async () => {
  await begin();
  node.script = (_, socket) => {
    if (node.requests.length === 1) socket.destroy();
    else socket.write(json('sampled'));
  };
  const body = '{"type":"index"}';
  const head = `POST /druid/indexer/v1/sampler HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answer = await exchangeRaw(gateway.port, head + body);
  expect([answer.status, node.requests.map((request) => request.body.toString())]).toEqual([
    200,
    [body, body],
  ]);
  node.requests.length = 0;
  const task = head.replace('sampler', 'task');
  expect((await exchangeRaw(gateway.port, task + body)).status).toBe(502);
  expect(node.requests).toHaveLength(1);
});
