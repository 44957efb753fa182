import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let leader: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  leader = await startUpstream((_, socket) =>
    socket.write(plain('200 OK', ['Content-Type: text/html'], '<html>')),
  );
  gateway = await startHarness({ exchange: { maxWaitMs: 600 } });
});

afterEach(async () => {
  await gateway.close();
  await leader.close();
});

const get = (target: string, extra = ''): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, `GET ${target} HTTP/1.1\r\nHost: gw:1\r\n${extra}\r\n`);

test('pages come from the leading Coordinator, without the headers of one hop', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  leader.script = (_, socket) =>
    socket.write(
      plain('200 OK', ['Content-Type: text/html', 'Keep-Alive: timeout=9', 'X-A: 1', 'X-A: 2'], '<html>'),
    );
  const answer = await get(
    '/public/a%20b.js?x=%2F',
    'Keep-Alive: timeout=5\r\nTE: trailers\r\nX-Forwarded-For: 1.2.3.4\r\n',
  );
  expect([answer.status, answer.body.toString()]).toEqual([200, '<html>']);
  expect(answer.headers('x-a')).toEqual(['1', '2']);
  expect(answer.header('keep-alive')).not.toBe('timeout=9');
  const [request] = leader.requests;
  expect(request?.target).toBe('/public/a%20b.js?x=%2F');
  expect(request?.header('host')).toBe(leader.hostAndPort);
  expect(request?.header('x-forwarded-for')).toBe('127.0.0.1');
  expect(request?.header('te')).toBeUndefined();
  const [record] = await gateway.recorded(1);
  expect(record).toMatchObject({
    role: 'console',
    status: 200,
    upstream: leader.hostAndPort,
    attempts: 1,
    end: 'complete',
  });
});

test('an absolute Location of Druid’s keeps only its path', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  leader.script = (request, socket) =>
    socket.write(plain('302 Found', [`Location: http://${request.header('host')}/unified-console.html`], ''));
  const answer = await get('/');
  expect([answer.status, answer.header('location')]).toEqual([302, '/unified-console.html']);
});

test('a page waits for a leader, and gets 503 in JSON when none comes', async () => {
  const waiting = get('/');
  while (gateway.waitQueue.waiting('coordinator') === 0) await sleep(2);
  gateway.cluster.lead('coordinator', leader.origin);
  expect((await waiting).status).toBe(200);
  gateway.cluster.unlead('coordinator');
  const none = await get('/');
  expect([none.status, none.json().errorCode]).toEqual([503, 'no_leader']);
  expect(none.header('retry-after')).toBe('1');
});

test('a redirect of a follower and a 503 in HTML do not reach the browser', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  leader.script = (request, socket) => {
    const n = leader.requests.length;
    if (n === 1)
      socket.write(plain('307 Temporary Redirect', [`Location: ${leader.origin}${request.target}`], ''));
    else if (n === 2)
      socket.write(plain('503 Service Unavailable', ['Content-Type: text/html', 'X-Old: 1'], '<html>'));
    else socket.write(plain('200 OK', ['Content-Type: text/html'], 'page'));
  };
  const answer = await get('/unified-console.html');
  expect([answer.status, answer.body.toString(), answer.header('x-old')]).toEqual([200, 'page', undefined]);
  expect(gateway.cluster.reports.map(([, outcome]) => outcome)).toEqual(['not_leader', 'unavailable', 'ok']);
});

test('a leader that cannot be reached is waited for; the answer names no address', async () => {
  gateway.cluster.lead('coordinator', 'http://127.0.0.1:1');
  const answer = await get('/');
  expect([answer.status, answer.json().errorCode]).toEqual([503, 'leader_unreachable']);
  expect(answer.body.toString()).not.toContain('127.0.0.1');
  expect(gateway.cluster.node('http://127.0.0.1:1').outstanding).toBe(0);
});

test('HEAD has the head alone', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  const client = await connectRaw(gateway.port);
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  for (let i = 0; i < 2; i++) expect((await client.answer({ head: true })).status).toBe(200);
  expect(leader.requests.map(({ method }) => method)).toEqual(['GET', 'GET']);
  client.close();
});

test('a page that breaks off is not taken for whole', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  leader.script = (_, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  await expect(get('/')).rejects.toThrow();
});

const BODIES = [
  ['with a length', 'Content-Length: 5\r\n\r\n', 'hello'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
] as const;

test.each(BODIES)(
  'a page is asked for once the body of its request is here: %s',
  async (_, framing, body) => {
    gateway.cluster.lead('coordinator', leader.origin);
    const client = await connectRaw(gateway.port);
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n${framing}${body.slice(0, -1)}`);
    while (!client.received().toString().includes('100 Continue')) await sleep(2);
    await sleep(50);
    expect(leader.requests).toEqual([]);
    client.send(`${body.slice(-1)}GET /favicon.png HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (let i = 0; i < 2; i++) expect((await client.answer()).body.toString()).toBe('<html>');
    expect(leader.requests.map(({ target, body: seen }) => [target, seen.length])).toEqual([
      ['/', 0],
      ['/favicon.png', 0],
    ]);
    client.close();
  },
);

test.each([
  ['malformed', 'Transfer-Encoding: chunked\r\n\r\n0_2e\r\n\r\n', 400],
  ['too long', 'Content-Length: 65537\r\n\r\nabc', 413],
  [
    'in too many chunks',
    `Transfer-Encoding: chunked\r\n\r\n${`1000\r\n${'x'.repeat(4096)}\r\n`.repeat(17)}`,
    413,
  ],
])('where the body is %s no page is asked for', async (_, rest, status) => {
  gateway.cluster.lead('coordinator', leader.origin);
  const client = await connectRaw(gateway.port);
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${rest}`);
  const answer = await client.answer();
  expect([answer.status, answer.header('connection')]).toEqual([status, 'close']);
  expect(leader.requests).toEqual([]);
  client.close();
});

test('a client that leaves in the middle of a body has asked for no page', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  const client = await connectRaw(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
  await sleep(20);
  client.close();
  expect(await gateway.recorded(1)).toMatchObject([{ role: 'console', status: 499, end: 'client_gone' }]);
  expect(leader.requests).toEqual([]);
});

test('once the door drains, a page and an error in its place ask the client for another connection', async () => {
  gateway.cluster.lead('coordinator', leader.origin);
  gateway.door.drain();
  expect((await get('/')).header('connection')).toBe('close');
  gateway.cluster.unlead('coordinator');
  const none = await get('/');
  expect([none.status, none.header('connection')]).toEqual([503, 'close']);
});
