import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminOptions, createAdmin, createHealth } from '../../../src/admin/admin.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node } from './fakes.ts';

const TOKEN = 'a-token-of-some-length';
const BROKER = '10.0.0.1:8082';
const CORDON = `/brokers/${BROKER}/cordon`;

let app: FastifyInstance;
let cluster: FakeCluster;
let acted: string[];
let port: number;

beforeEach(() => {
  cluster = new FakeCluster();
  acted = [];
  cluster.cordon = (name) => void acted.push(name);
  cluster.show({
    complete: true,
    brokers: [
      { node: node(BROKER), service: 's', ready: true, cordoned: false, ejected: false, why: 'ready' },
    ],
  });
});
afterEach(() => app.close());

function sources() {
  return {
    cluster,
    metrics: { contentType: 'text/plain', render: async () => 'a_metric 1\n' },
    errors: recordErrors(),
    draining: () => false,
  };
}

async function listen(listener: FastifyInstance): Promise<void> {
  app = listener;
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  port = Number(new URL(url).port);
}

const listenAsAdmin = (options: Partial<AdminOptions> = {}): Promise<void> =>
  listen(createAdmin({ ...sources(), discovery: new FakeDiscovery(), version: '1', config: {}, ...options }));

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
}

async function ask(
  method: string,
  path: string,
  headers: Record<string, string | string[]> = {},
): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  const answered = once(sent, 'response');
  sent.end();
  const [response] = await answered;
  const body = await text(response);
  const [, reason = ''] = /"reason":"(\w+)"/.exec(body) ?? [];
  return { status: response.statusCode ?? 0, reason, body };
}

describe('a host', () => {
  test.each([
    ['127.0.0.1'],
    ['127.0.0.1:9888'],
    ['10.1.2.3'],
    ['[::1]:9888'],
    ['[fd00::7]'],
    ['localhost'],
    ['LocalHost:9888'],
    ['localhost.:9888'],
    ['gateway-1'],
    ['GATEWAY-1.:80'],
  ])('%s reads and acts', async (host) => {
    await listenAsAdmin({ allowedHosts: ['Gateway-1'] });
    expect((await ask('GET', '/status', { host })).status).toBe(200);
    expect((await ask('HEAD', '/status', { host })).status).toBe(200);
    expect((await ask('POST', CORDON, { host })).status).toBe(200);
    expect(acted).toEqual([BROKER]);
  });

  test.each([
    ['rebind.evil.example'],
    ['rebind.evil.example:9888'],
    ['127.0.0.1.evil.example'],
    ['evil.example.127.0.0.1.nip.io'],
    ['localhost.evil.example'],
    ['0x7f.1'],
    ['2130706433'],
    ['[::1].evil.example'],
    ['[evil.example]'],
    ['evil.example@127.0.0.1'],
    ['127.0.0.1, evil.example'],
    ['gateway-1'],
    ['127.0.0.1:80:80'],
    [':9888'],
  ])('%j does neither, and is told what to do', async (host) => {
    await listenAsAdmin();
    for (const [method, path] of [
      ['GET', '/status'],
      ['POST', CORDON],
    ] as const) {
      const { status, reason, body } = await ask(method, path, { host });
      expect([status, reason]).toEqual([421, 'host_not_allowed']);
      expect(body).toContain('"error":"druidException"');
      expect(body).toContain('admin.allowedHosts');
      expect(body).not.toContain(BROKER);
    }
    expect((await ask('HEAD', '/status', { host })).status).toBe(421);
    expect(acted).toEqual([]);
  });

  test.each([
    ['that is missing is no browser', 'GET /status HTTP/1.0\r\n\r\n', 200],
    ['that is empty does neither', 'GET /status HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 421],
  ])('%s', async (_, bytes, status) => {
    await listenAsAdmin();
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    expect((await text(socket)).split(' ')[1]).toBe(String(status));
  });
});

describe('a page in a browser', () => {
  test.each<[Record<string, string>]>([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'Same-Origin' }],
    [{ 'sec-fetch-site': '' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'http://127.0.0.1:9888', 'sec-fetch-site': 'same-origin' }],
    [{ origin: 'null', 'sec-fetch-site': 'same-origin' }],
    [{ origin: '', 'sec-fetch-site': 'same-origin' }],
  ])('that says %j neither reads nor acts', async (headers) => {
    await listenAsAdmin();
    for (const [method, path] of [
      ['GET', '/status'],
      ['POST', CORDON],
    ] as const) {
      const { status, reason } = await ask(method, path, headers);
      expect([status, reason]).toEqual([403, 'cross_site']);
    }
    expect(acted).toEqual([]);
  });

  const OURS = 'http://localhost:9888';

  test('of this listener itself acts, by each name of it', async () => {
    await listenAsAdmin({ allowedHosts: ['gateway-1'] });
    for (const host of ['localhost:9888', '127.0.0.1:9888', '[::1]:9888', 'gateway-1:80', 'localhost']) {
      const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
      expect((await ask('POST', CORDON, headers)).status).toBe(200);
    }
    expect(acted).toHaveLength(5);
  });

  test('of this listener itself needs the token as others do', async () => {
    await listenAsAdmin({ token: TOKEN });
    const headers = { host: 'localhost:9888', origin: OURS, 'sec-fetch-site': 'same-origin' };
    expect((await ask('POST', CORDON, headers)).reason).toBe('token_required');
    expect(acted).toEqual([]);
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask('POST', CORDON, { ...headers, authorization })).status).toBe(200);
  });

  test.each<[string, Record<string, string | string[]>]>([
    ['no Sec-Fetch-Site', { origin: OURS }],
    ['an Origin of another site', { origin: OURS, 'sec-fetch-site': 'cross-site' }],
    ['an Origin of another port', { origin: OURS, 'sec-fetch-site': 'same-site' }],
    ['an Origin of a tab', { origin: OURS, 'sec-fetch-site': 'none' }],
    ['another port', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }],
    ['no port', { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }],
    ['another scheme', { origin: 'https://localhost:9888', 'sec-fetch-site': 'same-origin' }],
    ['no scheme', { origin: 'localhost:9888', 'sec-fetch-site': 'same-origin' }],
    ['another name of this listener', { origin: 'http://127.0.0.1:9888', 'sec-fetch-site': 'same-origin' }],
    ['more behind it', { origin: `${OURS}.evil.example`, 'sec-fetch-site': 'same-origin' }],
    ['a path', { origin: `${OURS}/`, 'sec-fetch-site': 'same-origin' }],
    ['a user before it', { origin: 'http://x@localhost:9888', 'sec-fetch-site': 'same-origin' }],
    ['two', { origin: [OURS, OURS], 'sec-fetch-site': 'same-origin' }],
    ['two in one', { origin: `${OURS}, https://evil.example`, 'sec-fetch-site': 'same-origin' }],
    ['two Sec-Fetch-Site', { origin: OURS, 'sec-fetch-site': ['same-origin', 'cross-site'] }],
  ])('is not of this listener with %s', async (_, headers) => {
    await listenAsAdmin();
    const { status, reason } = await ask('POST', CORDON, { host: 'localhost:9888', ...headers });
    expect([status, reason]).toEqual([403, 'cross_site']);
    expect(acted).toEqual([]);
  });

  test.each(['rebind.evil.example:9888', 'localhost.evil.example:9888', 'evil.example'])(
    'whose own name leads here (%s) is not of this listener, although it says so',
    async (host) => {
      await listenAsAdmin();
      const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
      for (const [method, path] of [
        ['POST', CORDON],
        ['GET', '/status'],
        ['GET', '/'],
        ['GET', '/events'],
      ] as const) {
        expect((await ask(method, path, headers)).reason).toBe('host_not_allowed');
      }
      expect(acted).toEqual([]);
    },
  );

  const FOLLOWED = {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };

  test('of another site can have a link to our page, and to nothing else', async () => {
    await listenAsAdmin();
    expect((await ask('GET', '/', FOLLOWED)).status).toBe(200);
    expect((await ask('GET', '/status', FOLLOWED)).reason).toBe('cross_site');
    expect((await ask('GET', '/events', FOLLOWED)).reason).toBe('cross_site');
    expect((await ask('POST', CORDON, FOLLOWED)).reason).toBe('cross_site');
  });

  test.each<[string, Record<string, string>]>([
    ['in a frame', { 'sec-fetch-dest': 'iframe' }],
    ['as an object', { 'sec-fetch-dest': 'object' }],
    ['by a script', { 'sec-fetch-dest': 'empty' }],
    ['without going there', { 'sec-fetch-mode': 'no-cors' }],
    ['by a form', { origin: 'https://evil.example' }],
    ['with a name of its own', { host: 'evil.example' }],
  ])('of another site does not get our page %s', async (_, headers) => {
    await listenAsAdmin();
    expect((await ask('GET', '/', { ...FOLLOWED, ...headers })).status).toBeGreaterThanOrEqual(403);
  });

  test.each(['none', 'same-origin'])('that was opened here itself (%s) reads', async (site) => {
    await listenAsAdmin();
    expect((await ask('GET', '/status', { 'sec-fetch-site': site })).status).toBe(200);
  });
});

test('health and metrics are open to whoever asks', async () => {
  await listenAsAdmin({ token: TOKEN });
  const headers = { host: 'gateway.prod.svc:9888', 'sec-fetch-site': 'cross-site', origin: 'https://a.b' };
  for (const path of ['/health/live', '/health/ready', '/metrics']) {
    expect((await ask('GET', path, headers)).status).toBe(200);
  }
});

describe('a token', () => {
  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['an empty one', { authorization: 'Bearer ' }],
    ['another one', { authorization: `Bearer ${TOKEN}x` }],
    ['a part of it', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['no scheme', { authorization: TOKEN }],
    ['a cookie', { cookie: TOKEN }],
    ['two', { authorization: `Bearer ${TOKEN} ${TOKEN}` }],
  ])('is needed to act: not with %s', async (_, headers) => {
    await listenAsAdmin({ token: TOKEN });
    for (const action of ['cordon', 'drain', 'return', 'explode']) {
      const answer = await ask('POST', `/brokers/${BROKER}/${action}`, headers);
      expect([answer.status, answer.reason]).toEqual([401, 'token_required']);
      expect(answer.body).not.toContain(TOKEN);
    }
    expect(acted).toEqual([]);
    expect((await ask('GET', '/status')).status).toBe(200);
  });

  test.each([`Bearer ${TOKEN}`, `bearer  ${TOKEN} `])('lets act: %j', async (authorization) => {
    await listenAsAdmin({ token: TOKEN });
    expect((await ask('POST', CORDON, { authorization })).status).toBe(200);
    expect(acted).toEqual([BROKER]);
  });

  test('does not help a page, or a name that leads here', async () => {
    await listenAsAdmin({ token: TOKEN });
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask('POST', CORDON, { authorization, origin: 'https://a.b' })).status).toBe(403);
    expect((await ask('POST', CORDON, { authorization, host: 'evil.example' })).status).toBe(421);
    expect(acted).toEqual([]);
  });
});

test('the health listener has health and metrics, and nothing else by any method', async () => {
  await listen(createHealth(sources()));
  for (const path of ['/health/live', '/health/ready', '/metrics']) {
    expect((await ask('GET', path, { host: 'any.example' })).status).toBe(200);
  }
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    for (const path of ['/status', '/status/', CORDON, '/health/../status', '//status', '/']) {
      const { status, body } = await ask(method, path);
      expect([method, path, status]).toEqual([method, path, 404]);
      expect(body).not.toContain(BROKER);
    }
  }
  expect(acted).toEqual([]);
});

test('a connection on which no whole request comes is closed', { timeout: 30_000 }, async () => {
  await listen(createHealth(sources()));
  const began = performance.now();
  const closed = [
    '',
    'GET /metrics HTTP/1.1\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
  ].map(async (bytes) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.resume().write(bytes);
    await once(socket, 'close');
  });
  await Promise.all(closed);
  expect(performance.now() - began).toBeLessThan(20_000);
});
