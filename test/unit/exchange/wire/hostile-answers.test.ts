import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRaw, exchangeRaw } from '../../../kit/clients/raw-client.ts';
import { OVER_TLS } from '../../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json('ok')));
  gateway = await startHarness({ upstreams: { maxHeaderBytes: 4_096 } });
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  for (const node of gateway.cluster.view.nodes.values()) expect(node.outstanding).toBe(0);
  await broker.close();
});

const QUERY = 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';
const JDBC = QUERY.replace('/sql', '/sql/avatica');
const TASK = QUERY.replace('/sql', '/sql/task');

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('an answer with', () => {
  test.for<[name: string, bytes: string]>([
    ['two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
    ['a line that ends in LF alone', 'HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n'],
    [
      'a line break smuggled into a value',
      'HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n',
    ],
    ['too large a head', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(5_000)}\r\n\r\n`],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['garbage', '\0\x01\x02\r\n\r\n'],
    ...['000', '099', '600', '666', '999', '1000', '-20', '2e2'].map((status): [string, string] => [
      `the status ${status}`,
      `HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`,
    ]),
  ])('%s is a 502, the node is let go, and the next request is sound', async ([, bytes]) => {
    broker.script = (_, socket) => socket.write(Buffer.from(bytes, 'latin1'));
    const client = await connectRaw(gateway.port);
    client.send(QUERY);
    const answer = await client.answer();
    expect([answer.status, answer.json().errorCode]).toEqual([502, 'upstream_malformed']);
    await until(() => broker.sockets.size === 0);
    broker.script = (_, socket) => socket.write(json('ok'));
    client.send(QUERY);
    expect((await client.answer()).status).toBe(200);
    client.close();
  });

  test.for<[name: string, rest: string]>([
    ['a negative chunk', '-1\r\n'],
    ['a chunk of 64 bits', 'fffffffffffffffff\r\n'],
    ['a chunk longer than it says', '2\r\nabcd\r\n'],
    ['too large trailers', `0\r\nA: ${'b'.repeat(5_000)}\r\n\r\n`],
    ['bytes that are no trailer', '0\r\nA : b\r\n\r\n'],
  ])('%s is cut off, once it has begun', async ([, rest]) => {
    broker.script = (_, socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n${rest}`);
    const client = await connectRaw(gateway.port);
    client.send(QUERY);
    await expect(client.answer()).rejects.toThrow(/the connection ended/);
    await until(() => broker.sockets.size === 0);
  });

  test('more bytes than it has never gives them to another request', async () => {
    const evil = plain('200 OK', [], 'evil');
    broker.script = (_, socket) => socket.write(Buffer.concat([json('ok'), evil]));
    const client = await connectRaw(gateway.port);
    client.send(QUERY.repeat(5));
    for (let i = 0; i < 5; i++) expect((await client.answer()).body.toString()).toBe('"ok"');
    expect(new Set(broker.requests.map(({ connection }) => connection)).size).toBe(5);
    client.close();
  });
});

describe('a kept connection that ends under a request', () => {
  beforeEach(async () => {
    expect((await exchangeRaw(gateway.port, QUERY)).status).toBe(200);
    broker.requests.length = 0;
  });

  test('has a query sent once more, on a new one', async () => {
    broker.script = ({ connection }, socket) => {
      if (connection === 0) socket.destroy();
      else socket.write(json('ok'));
    };
    expect((await exchangeRaw(gateway.port, QUERY)).status).toBe(200);
    expect(broker.requests.length).toBe(2);
  });

  test('has what a JDBC client asks sent no second time', async () => {
    broker.script = (_, socket) => socket.destroy();
    expect((await exchangeRaw(gateway.port, JDBC)).status).toBe(502);
    expect(broker.requests.length).toBe(1);
  });

  test('is none that a write would be sent on', async () => {
    broker.script = (_, socket) => socket.destroy();
    expect((await exchangeRaw(gateway.port, TASK)).status).toBe(502);
    expect(broker.requests.map(({ connection }) => connection)).toEqual([1]);
  });
});

test('answers of different speed and size come in the order of the requests', async () => {
  const big = Buffer.alloc(300_000, 'x');
  broker.script = ({ target }, socket) => {
    const n = Number(target.split('=')[1]);
    const answer = plain('200 OK', [`X-N: ${n}`], n % 3 === 0 ? big : String(n));
    if (n % 2 === 0) setTimeout(() => socket.write(answer), 20);
    else socket.write(answer);
  };
  const client = await connectRaw(gateway.port);
  const requests = Array.from({ length: 12 }, (_, n) => `GET /druid/v2/x?n=${n} HTTP/1.1\r\nHost: a\r\n\r\n`);
  client.send(requests.join(''));
  for (let n = 0; n < 12; n++) {
    const answer = await client.answer();
    expect([answer.header('x-n'), answer.body.length]).toEqual([
      String(n),
      n % 3 === 0 ? big.length : String(n).length,
    ]);
  }
  client.close();
});

test('clients that leave at any moment leave nothing behind', async () => {
  broker.script = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
    setImmediate(() => socket.write('cd'));
  };
  for (let i = 0; i < 100; i++) {
    const client = await connectRaw(gateway.port);
    client.send(QUERY.repeat((i % 3) + 1));
    for (let j = i % 15; j > 0; j--) await turn();
    if (i % 2 === 0 && !OVER_TLS) client.socket.resetAndDestroy();
    else client.close();
  }
  const nodes = [...gateway.cluster.view.nodes.values()];
  await until(() => nodes.every(({ outstanding }) => outstanding === 0));
});
