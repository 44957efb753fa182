import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { connectRaw, exchangeRaw } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json('ok')));
  gateway = await startHarness();
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

const SMUGGLED = 'GET /druid/v2/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

test.each([
  ['Content-Length with Transfer-Encoding', 'Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ['two Content-Lengths', 'Host: a\r\nContent-Length: 0\r\nContent-Length: 49\r\n'],
  ['a signed Content-Length', 'Host: a\r\nContent-Length: +49\r\n'],
  ['a coding after chunked', 'Host: a\r\nTransfer-Encoding: chunked, identity\r\n'],
  ['a coding before chunked', 'Host: a\r\nTransfer-Encoding: gzip, chunked\r\n'],
  ['chunked twice', 'Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
  ['a blank before the colon', 'Host: a\r\nTransfer-Encoding : chunked\r\n'],
  ['a folded line', 'Host: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n'],
  ['a NUL in a value', 'Host: a\r\nX: a\0b\r\n'],
  ['a bare CR', 'Host: a\r\nX: a\rContent-Length: 49\r\n'],
  ['no Host', 'X: 1\r\n'],
  ['two Hosts', 'Host: a\r\nHost: b\r\n'],
])('%s is refused with 400 in JSON and reaches nobody', async (_, lines) => {
  const client = await connectRaw(gateway.port);
  client.send(`POST /druid/v2/sql HTTP/1.1\r\n${lines}\r\n0\r\n\r\n${SMUGGLED}`);
  const answer = await client.answer();
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({ error: 'druidException', errorCode: 'request_malformed' });
  client.close();
  const reached = broker.requests.map(({ target }) => target);
  expect(reached.filter((target) => target !== '/druid/v2/smuggled')).toEqual([]);
  if (!/Host/.test(lines) || /Host.*Host/s.test(lines)) return;
  expect(reached).toEqual([]);
});

test('a chunked body that is malformed reaches nobody whole', async () => {
  const client = await connectRaw(gateway.port);
  client.send(
    'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n',
  );
  expect((await client.answer()).status).toBe(400);
  client.close();
  expect(broker.requests).toEqual([]);
});

test('what comes together goes on together, and so does the end of the answer', async () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  broker.script = (_, socket) => socket.write(`${head}1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n`);
  const client = await connectRaw(gateway.port);
  client.send(
    'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nConnection: close\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  );
  await client.ended();
  const answer = client.received().toString('latin1');
  expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe('3\r\nabc\r\n0\r\n\r\n');
});

test('what has come is not held back until there is more', async () => {
  broker.script = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  };
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  await vi.waitFor(() => expect(client.received().toString('latin1')).toMatch(/\r\n\r\n1\r\na\r\n$/));
  client.close();
});

test('a head that is too large is a 431 in JSON', async () => {
  const large = await exchangeRaw(
    gateway.port,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
  );
  expect([large.status, large.json().errorCode, large.header('connection')]).toEqual([
    431,
    'headers_too_large',
    'close',
  ]);
});

test('targets and methods that Fastify does not know reach the path table', async () => {
  for (const [line, status, reason] of [
    ['GET /%zz', 400, 'target_malformed'],
    ['GET http://user@gateway/druid/v2', 400, 'target_malformed'],
    ['GET ftp://gateway/druid/v2', 400, 'target_malformed'],
    ['PURGE /druid/v2', 405, 'method_not_allowed'],
    ['PATCH /druid/v2', 405, 'method_not_allowed'],
    [`GET /${'a'.repeat(5_000)}`, 404, 'path_unknown'],
  ] as const) {
    const answer = await exchangeRaw(gateway.port, `${line} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([line, answer.status, answer.json().errorCode]).toEqual([line, status, reason]);
  }
  const connect = await exchangeRaw(gateway.port, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect([connect.status, connect.json().errorCode]).toEqual([405, 'method_not_allowed']);
});

test('a target that is a whole URL is its path and query, and its authority goes on instead of the Host', async () => {
  for (const [target, seen, host] of [
    ['http://gateway:8888/druid/v2/x?y=%2F', '/druid/v2/x?y=%2F', 'gateway:8888'],
    ['HTTPS://Gateway/druid/v2/x', '/druid/v2/x', 'Gateway'],
    ['http://[::1]:8888/druid/v2/x', '/druid/v2/x', '[::1]:8888'],
  ] as const) {
    const answer = await exchangeRaw(gateway.port, `GET ${target} HTTP/1.1\r\nHost: other\r\n\r\n`);
    expect([target, answer.status]).toEqual([target, 200]);
    const request = broker.requests.at(-1);
    expect([request?.target, request?.header('host')]).toEqual([seen, broker.hostAndPort]);
    expect(request?.header('x-forwarded-host')).toBe(host);
  }
  expect((await gateway.recorded(3)).map(({ path }) => path)).toEqual(Array(3).fill('/druid/v2/x'));
});

test('odd content types pass', async () => {
  for (const type of [
    'foo',
    '',
    'application/json; charset=zzz',
    'text/plain',
    'application/x-jackson-smile',
  ]) {
    const head = `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: 3\r\n\r\n{x}`;
    expect((await exchangeRaw(gateway.port, head)).status).toBe(200);
    expect(broker.requests.at(-1)?.header('content-type')).toBe(type);
    expect(broker.requests.at(-1)?.body.toString()).toBe('{x}');
  }
});

test('an upgrade is not offered', async () => {
  const answer = await exchangeRaw(
    gateway.port,
    'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  expect(answer.status).toBe(200);
  expect(broker.requests[0]?.header('upgrade')).toBeUndefined();
});

test('a refused request with a body leaves the connection usable, or closes it after the answer', async () => {
  const client = await connectRaw(gateway.port);
  for (let i = 0; i < 2; i++) {
    client.send(`POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde`);
    expect((await client.answer()).status).toBe(404);
  }
  client.send('POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  expect((await client.answer()).status).toBe(404);
  client.socket.on('error', () => {});
  const chunk = Buffer.alloc(256 * 1024);
  let sent = 0;
  while (!client.socket.destroyed && sent < 100_000_000) {
    client.socket.write(chunk);
    sent += chunk.length;
    await sleep(1);
  }
  expect(sent).toBeLessThan(100_000_000);
});

test('while it drains, answers ask for a new connection', async () => {
  const client = await connectRaw(gateway.port);
  client.send('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.answer()).header('connection')).toBe('keep-alive');
  gateway.door.drain();
  client.send('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.answer()).header('connection')).toBe('close');
  expect(await client.ended()).toBe('end');
});

test('closing waits for the request under way, not for idle connections', async () => {
  let finish = (): void => {};
  broker.script = (_, socket) => {
    finish = () => void socket.write(json('late'));
  };
  const idle = await connectRaw(gateway.port);
  const busy = await connectRaw(gateway.port);
  busy.send('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
  while (broker.requests.length === 0) await sleep(2);
  const started = performance.now();
  const closed = gateway.door.close(5_000);
  await idle.ended();
  setTimeout(() => finish(), 300);
  expect((await busy.answer()).body.toString()).toBe('"late"');
  await closed;
  const took = performance.now() - started;
  expect(took).toBeGreaterThan(250);
  expect(took).toBeLessThan(2_000);
});

test('closing cuts what is still under way at the deadline', async () => {
  broker.script = () => {};
  const busy = await connectRaw(gateway.port);
  busy.send('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
  while (broker.requests.length === 0) await sleep(2);
  const [upstream] = broker.sockets;
  const gone = upstream === undefined ? Promise.resolve() : once(upstream, 'close');
  await gateway.door.close(200);
  await busy.ended();
  await gone;
  expect((await gateway.recorded(1))[0]?.end).toBe('client_gone');
});
