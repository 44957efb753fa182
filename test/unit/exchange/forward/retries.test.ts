import { once } from 'node:events';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { testPorts } from '../../../kit/net/ports.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

/** Ports this low are given to nobody who asks for any. */
const REFUSING = 'http://127.0.0.1:1';

let one: FakeUpstream;
let two: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  one = await startUpstream((_, socket) => socket.write(json('one')));
  two = await startUpstream((_, socket) => socket.write(json('two')));
  gateway = await startHarness();
});

afterEach(async () => {
  await gateway.close();
  await one.close();
  await two.close();
});

const html503 = plain('503 Service Unavailable', ['Content-Type: text/html'], '<html>initialising</html>');
const send = (request: string): Promise<RawAnswer> => exchangeRaw(gateway.port, request);
const get = (target: string): Promise<RawAnswer> => send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
const post = (target: string, body = '{}'): Promise<RawAnswer> =>
  send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
const moved = (location: string): Buffer => plain('307 Temporary Redirect', [`Location: ${location}`], '');

function expectError(answer: RawAnswer, status: number, reason: string): void {
  expect([answer.status, answer.json().errorCode]).toEqual([status, reason]);
  expect(answer.header('content-type')).toBe('application/json');
  const text = answer.lines.join('\n') + answer.body.toString();
  expect(text).not.toMatch(/127\.0\.0\.1:|<html/);
  if (status === 503) expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
}

test('a refused connection sends any method elsewhere at once', async () => {
  gateway.cluster.brokers(REFUSING, one.origin);
  expect((await post('/druid/v2/sql')).body.toString()).toBe('"one"');
  expect((await post('/druid/v2/sql/task', 'insert')).body.toString()).toBe('"one"');
  expect(one.requests[1]?.body.toString()).toBe('insert');
  const [record] = await gateway.recorded(1);
  expect(record).toMatchObject({ attempts: 2, status: 200, upstream: one.hostAndPort });
  expect(gateway.cluster.reports[0]?.[1]).toBe('connect_failed');
});

test('a streamed body that nobody has touched goes elsewhere too', async () => {
  gateway.cluster.brokers(REFUSING, one.origin);
  const body = Buffer.alloc(3_000_000, 'x');
  const head = `POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answer = await exchangeRaw(gateway.port, Buffer.concat([Buffer.from(head), body]));
  expect(answer.body.toString()).toBe('"one"');
  expect(one.requests[0]?.body.equals(body)).toBe(true);
});

test('with all Brokers refusing the answer is 503 once waiting did not help', async () => {
  const hasty = await startHarness({ exchange: { maxWaitMs: 200 } });
  try {
    hasty.cluster.brokers(REFUSING);
    const started = performance.now();
    const answer = await exchangeRaw(hasty.port, 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
    expectError(answer, 503, 'no_ready_broker');
    expect(performance.now() - started).toBeLessThan(2_000);
  } finally {
    await hasty.close();
  }
});

test('a write to a leader whose port is closed waits until the leader is there', async () => {
  // Nobody else may take it meanwhile.
  const [port = 0] = await testPorts(1);
  const origin = `http://127.0.0.1:${port}`;
  gateway.cluster.lead('overlord', origin);
  const answered = post('/druid/indexer/v1/task', 'task');
  await sleep(150);
  const late = await startUpstream((_, socket) => socket.write(json('late')), port);
  try {
    expect((await answered).body.toString()).toBe('"late"');
    expect(late.requests.length).toBe(1);
  } finally {
    await late.close();
  }
});

test('a write that was cut off is never sent twice and its fate is called unknown', async () => {
  gateway.cluster.lead('overlord', one.origin);
  gateway.cluster.brokers(one.origin, two.origin);
  one.script = (_, socket) => socket.destroy();
  for (const target of ['/druid/indexer/v1/task', '/druid/v2/sql/task']) {
    const answer = await post(target);
    expectError(answer, 502, 'upstream_reset');
    expect(String(answer.json().errorMessage)).toContain('may or may not');
  }
  expect(one.requests.length).toBe(2);
  expect(two.requests.length).toBe(0);
});

test('writes have a connection of their own, queries share', async () => {
  gateway.cluster.lead('overlord', one.origin);
  gateway.cluster.brokers(two.origin);
  for (let i = 0; i < 3; i++) {
    await post('/druid/indexer/v1/task');
    await post('/druid/v2/sql');
  }
  expect(one.requests.map(({ connection }) => connection)).toEqual([0, 1, 2]);
  expect(new Set(two.requests.map(({ connection }) => connection)).size).toBe(1);
});

test('a query that was cut off before its answer goes to another Broker, once', async () => {
  gateway.cluster.brokers(one.origin, two.origin);
  one.script = (_, socket) => socket.destroy();
  expect((await post('/druid/v2/sql')).body.toString()).toBe('"two"');
  two.script = (_, socket) => socket.destroy();
  expectError(await post('/druid/v2/sql'), 502, 'upstream_reset');
  // The second of them came on a kept connection, which may have been stale: it was sent there once more.
  expect([one.requests.length, two.requests.length]).toEqual([2, 3]);
});

test('a query on an idle connection that the only Broker just closed is asked again', async () => {
  gateway.cluster.brokers(one.origin);
  one.script = (request, socket) => {
    if (request.connection === 0 && one.requests.length === 2) socket.resetAndDestroy();
    else socket.write(json(one.requests.length));
  };
  await post('/druid/v2/sql');
  expect((await post('/druid/v2/sql')).body.toString()).toBe('3');
});

test('a query is not repeated once a byte of its answer came', async () => {
  gateway.cluster.brokers(one.origin, two.origin);
  one.script = (_, socket) => socket.end('HTTP/1.1 200 O');
  expectError(await post('/druid/v2/sql'), 502, 'upstream_reset');
  expect(two.requests.length).toBe(0);
});

test("a Broker's 503 in HTML is not shown: another one answers, or 503 in JSON", async () => {
  gateway.cluster.brokers(one.origin, two.origin);
  one.script = (_, socket) => socket.write(html503);
  expect((await post('/druid/v2/sql')).body.toString()).toBe('"two"');
  expectError(await post('/druid/v2/sql/task'), 503, 'broker_unavailable');
  two.script = (_, socket) => socket.write(html503);
  expectError(await post('/druid/v2/sql'), 503, 'broker_unavailable');
  expect(gateway.cluster.reports.map(([, outcome]) => outcome)).toContain('unavailable');
});

test("Druid's own 503 and 504 in JSON pass", async () => {
  gateway.cluster.brokers(one.origin, two.origin);
  for (const status of ['503 Service Unavailable', '504 Gateway Timeout', '500 Internal Server Error']) {
    one.script = (_, socket) => socket.write(json({ error: 'Query timeout' }, status));
    expect((await post('/druid/v2/sql')).json()).toEqual({ error: 'Query timeout' });
  }
  expect(two.requests.length).toBe(0);
});

test('a leader that answers 503 in HTML is asked again until it answers a read', async () => {
  gateway.cluster.lead('overlord', one.origin);
  one.script = (_, socket) => socket.write(one.requests.length < 4 ? html503 : json('ready'));
  expect((await get('/druid/indexer/v1/tasks')).body.toString()).toBe('"ready"');
  expect(one.requests.length).toBe(4);
});

test('a leader that ends while it answers a read is not noticed: the next one answers', async () => {
  const { cluster } = gateway;
  for (const cut of [20, 40, 60, 70]) {
    cluster.lead('overlord', one.origin);
    cluster.onReport = (_, outcome) => {
      if (outcome === 'reset') cluster.lead('overlord', two.origin);
    };
    one.script = (_, socket) => socket.end(json('an answer of some length').subarray(0, cut));
    const answer = await get('/druid/indexer/v1/tasks');
    expect([cut, answer.status, answer.body.toString()]).toEqual([cut, 200, '"two"']);
  }
});

test('an answer that is long or slow is shown as it comes, and reset when it breaks off', async () => {
  gateway.cluster.lead('overlord', one.origin);
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n';
  for (const begun of [Buffer.alloc(70_000, 'x'), Buffer.from('x')]) {
    let upstream: net.Socket | undefined;
    one.script = (_, socket) => {
      upstream = socket;
      socket.write(Buffer.concat([Buffer.from(head), begun]));
    };
    const client = await connectRaw(gateway.port);
    client.send('GET /druid/indexer/v1/tasks HTTP/1.1\r\nHost: a\r\n\r\n');
    while (client.received().length < begun.length) await sleep(5);
    expect(client.received().toString('latin1').endsWith(`\r\n\r\n${begun}`)).toBe(true);
    upstream?.destroy();
    expect(await client.ended()).toBe('reset');
  }
  expect(two.requests.length).toBe(0);
});

test('a client that leaves before it has seen anything ends the request', async () => {
  gateway.cluster.lead('overlord', one.origin);
  const held = new Promise<net.Socket>((resolve) => {
    one.script = (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx', () => resolve(socket));
    };
  });
  const client = await connectRaw(gateway.port);
  client.send('GET /druid/indexer/v1/tasks HTTP/1.1\r\nHost: a\r\n\r\n');
  const closed = once(await held, 'close');
  client.close();
  await closed;
  expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'client_gone', attempts: 1 });
});

test('a leader that is overloaded, or initialises after all, refuses a write with 503 in JSON', async () => {
  const { cluster } = gateway;
  cluster.lead('overlord', one.origin);
  one.script = (_, socket) => socket.write(plain('503 Service Unavailable', [], ''));
  expectError(await post('/druid/indexer/v1/task'), 503, 'leader_overloaded');
  one.script = (_, socket) => {
    cluster.unlead('overlord', 'leader_initialising');
    socket.write(plain('503 Service Unavailable', [], ''));
  };
  expectError(await post('/druid/indexer/v1/task'), 503, 'leader_initialising');
  expect(one.requests.length).toBe(2);
});

test('a redirect to itself or to another node is followed inside once leadership is confirmed anew', async () => {
  const { cluster } = gateway;
  cluster.node(two.origin);
  for (const location of [one.origin, two.origin]) {
    cluster.lead('overlord', one.origin);
    one.script = (request, socket) => socket.write(moved(location + request.target));
    const before = two.requests.length;
    cluster.onReport = (_, outcome) => {
      if (outcome !== 'not_leader') return;
      cluster.unlead('overlord', 'leader_initialising');
      setTimeout(() => cluster.lead('overlord', two.origin), 60);
    };
    const answer = await post('/druid/indexer/v1/task?a=%2F', 'task');
    expect(answer.body.toString()).toBe('"two"');
    expect(two.requests.length).toBe(before + 1);
    expect(two.requests.at(-1)).toMatchObject({ method: 'POST', target: '/druid/indexer/v1/task?a=%2F' });
    expect(two.requests.at(-1)?.body.toString()).toBe('task');
  }
  expect((await gateway.recorded(1))[0]?.parkedMs).toBeGreaterThan(30);
});

test('a leader that goes on redirecting ends in 503 after three more attempts, and leaks nothing', async () => {
  gateway.cluster.lead('coordinator', one.origin);
  one.script = (request, socket) => socket.write(moved(one.origin + request.target));
  expectError(await get('/druid/coordinator/v1/servers'), 503, 'leader_moved');
  expect(one.requests.length).toBe(4);
});

test('a redirect to a place unknown is a 502 without Location', async () => {
  gateway.cluster.lead('coordinator', one.origin);
  for (const status of ['307 Temporary Redirect', '302 Found', '301 Moved Permanently']) {
    one.script = (_, socket) => socket.write(plain(status, ['Location: http://10.1.2.3:8081/elsewhere'], ''));
    const answer = await get('/druid/coordinator/v1/servers');
    expectError(answer, 502, 'redirect_unknown');
    expect(answer.header('location')).toBeUndefined();
  }
});

test('a redirect names a node in any spelling of its address, and no client sees one', async () => {
  const { cluster } = gateway;
  cluster.node(two.origin);
  for (const host of ['[::ffff:127.0.0.1]', '[0:0:0:0:0:FFFF:7f00:1]', '127.0.0.1.']) {
    cluster.lead('overlord', one.origin);
    one.script = (request, socket) =>
      socket.write(moved(`HTTP://${host}:${two.port}${request.target.slice(0, 4)}/elsewhere`));
    cluster.onReport = (_, outcome) => {
      if (outcome === 'not_leader') cluster.lead('overlord', two.origin);
    };
    expect((await post('/druid/indexer/v1/task', 'task')).body.toString()).toBe('"two"');
    one.script = (_, socket) =>
      socket.write(plain('201 Created', [`Location: http://${host}:${one.port}/druid/x`], ''));
    cluster.lead('overlord', one.origin);
    expect((await post('/druid/indexer/v1/task')).header('location')).toBe('/druid/x');
  }
});

test("a node's redirect within itself keeps only the path", async () => {
  gateway.cluster.lead('coordinator', one.origin);
  one.script = (_, socket) =>
    socket.write(plain('302 Found', [`Location: ${one.origin}/unified-console.html?a#b`], ''));
  const answer = await get('/druid/coordinator/');
  expect([answer.status, answer.header('location')]).toEqual([302, '/unified-console.html?a#b']);
});

test('a write too large to be kept is not sent again after a redirect', async () => {
  gateway.cluster.node(two.origin);
  gateway.cluster.lead('overlord', one.origin);
  one.script = (request, socket) => socket.write(moved(two.origin + request.target));
  expectError(await post('/druid/indexer/v1/task', 'x'.repeat(200_000)), 503, 'leader_moved');
  expect(two.requests.length).toBe(0);
});

test('a small chunked write is sent again whole after a redirect', async () => {
  const { cluster } = gateway;
  cluster.lead('overlord', one.origin);
  cluster.node(two.origin);
  one.script = (request, socket) => socket.write(moved(two.origin + request.target));
  cluster.onReport = (_, outcome) => {
    if (outcome === 'not_leader') cluster.lead('overlord', two.origin);
  };
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
  const answer = await send(`POST /druid/indexer/v1/task HTTP/1.1\r\nHost: a\r\n${chunked}`);
  expect(answer.body.toString()).toBe('"two"');
  expect(two.requests[0]?.body.toString()).toBe('hello world');
});

test('requests wait for a leader and go on in their order', async () => {
  const narrow = await startHarness({ exchange: { maxPerNode: 1 } });
  try {
    const clients = await Promise.all(Array.from({ length: 40 }, () => connectRaw(narrow.port)));
    for (const [i, client] of clients.entries()) {
      client.send(`GET /druid/coordinator/v1/x?${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      while (narrow.waitQueue.waiting('coordinator') <= i) await sleep(1);
    }
    narrow.cluster.unlead('coordinator', 'leader_initialising');
    await sleep(30);
    expect(narrow.waitQueue.waiting('coordinator')).toBe(40);
    narrow.cluster.lead('coordinator', one.origin);
    const answers = await Promise.all(clients.map((client) => client.answer()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(one.requests.map(({ target }) => Number(target.split('?')[1]))).toEqual([...clients.keys()]);
    expect(Math.min(...(await narrow.recorded(40)).map(({ parkedMs }) => parkedMs))).toBeGreaterThan(0);
    for (const client of clients) client.close();
  } finally {
    await narrow.close();
  }
});

test('waiting is bounded in time, in number, and by the client', async () => {
  const tight = await startHarness({ maxParked: 2, exchange: { maxWaitMs: 400, maxWaitStaleMs: 100 } });
  try {
    const request = 'GET /druid/coordinator/v1/x HTTP/1.1\r\nHost: a\r\n\r\n';
    const started = performance.now();
    const first = exchangeRaw(tight.port, request);
    const leaver = await connectRaw(tight.port);
    leaver.send(request);
    while (tight.waitQueue.waiting('coordinator') < 2) await sleep(5);
    expectError(await exchangeRaw(tight.port, request), 503, 'parking_full');
    leaver.close();
    while (tight.waitQueue.waiting('coordinator') > 1) await sleep(5);
    expectError(await first, 503, 'no_leader');
    expect(performance.now() - started).toBeGreaterThan(390);
    tight.cluster.unlead('coordinator', 'discovery_stale');
    const stale = performance.now();
    expectError(await exchangeRaw(tight.port, request), 503, 'discovery_stale');
    expect(performance.now() - stale).toBeLessThan(350);
    const records = await tight.recorded(4);
    expect(records.map(({ end }) => end).sort()).toEqual(['client_gone', 'complete', 'complete', 'complete']);
  } finally {
    await tight.close();
  }
});

test('a redirect policy sends clients to the outside address, with raw path and query and without reading', async () => {
  const redirecting = await startHarness({
    redirectPolicy: (role, method) =>
      role === 'overlord' && method === 'POST' ? 'https://overlord.example:443' : null,
  });
  try {
    const request = 'POST /druid/indexer/v1/task?a=%2F& HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';
    const waiting = exchangeRaw(redirecting.port, request);
    while (redirecting.waitQueue.waiting('overlord') === 0) await sleep(2);
    redirecting.cluster.lead('overlord', one.origin);
    const answer = await waiting;
    expect([answer.status, answer.header('location')]).toEqual([
      307,
      'https://overlord.example:443/druid/indexer/v1/task?a=%2F&',
    ]);
    expect(one.requests.length).toBe(0);
    expect((await redirecting.recorded(1))[0]).toMatchObject({ redirected: true, attempts: 0, status: 307 });
  } finally {
    await redirecting.close();
  }
});

test('connections to a node that has left are closed, those with a request after it', async () => {
  gateway.cluster.brokers(one.origin);
  await post('/druid/v2/sql');
  expect(one.sockets.size).toBe(1);
  let answerLate = (): void => {};
  one.script = (_, socket) => {
    answerLate = () => void socket.write(json('late'));
  };
  const late = post('/druid/v2/sql');
  while (one.requests.length < 2) await sleep(2);
  gateway.retain(new Map());
  answerLate();
  expect((await late).body.toString()).toBe('"late"');
  while (one.sockets.size > 0) await sleep(5);
});
