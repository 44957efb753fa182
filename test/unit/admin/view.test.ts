import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import { takesGzip } from '../../../src/admin/tagged-answer.ts';
import { PublishedView } from '../../../src/feeds/published-view.ts';
import type { SharedView } from '../../../src/feeds/shared-view.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { announced, broker, snapshotOf } from '../feeds/views.ts';
import { FakeCluster, FakeDiscovery, node, serving } from './fakes.ts';

/** Waits for something that happens within milliseconds, on a slow machine too. */
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });

let app: FastifyInstance;
let cluster: FakeCluster;
let discovery: FakeDiscovery;
let published: PublishedView;
let url: string;

beforeEach(async () => {
  cluster = new FakeCluster();
  discovery = new FakeDiscovery();
  const errors = recordErrors();
  published = new PublishedView({ cluster, discovery, draining: () => false, errors, maxWaiting: 20 });
  app = createAdmin({
    cluster,
    discovery,
    published,
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors,
    draining: () => false,
    version: '1.2.3',
    config: { secret: 'of the configuration' },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

async function view(query = '', headers: Record<string, string> = {}): Promise<[number, SharedView]> {
  const response = await fetch(`${url}/view${query}`, { headers });
  const text = await response.text();
  return [response.status, text === '' ? null : JSON.parse(text)];
}

/** Many Brokers, so that the answer is worth packing. */
function crowd(size = 50): void {
  cluster.show({ brokers: Array.from({ length: size }, (_, i) => broker(node(`broker-${i}:8082`))) });
}

/** Asks and returns the whole answer as it came. */
async function raw(path: string, headers: Record<string, string>): Promise<[IncomingMessage, Buffer]> {
  const [response] = (await once(get(url + path, { headers, agent: false }), 'response')) as [
    IncomingMessage,
  ];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return [response, Buffer.concat(pieces)];
}

test('the view has leaders and Brokers, and nothing of the configuration', async () => {
  cluster.lead(serving('overlord', node('b:8090'), 3));
  crowd(1);
  const [status, body] = await view();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    version: expect.stringMatching(/^[0-9a-f]{16}$/),
    leaders: { overlord: { state: 'serving', node: 'b:8090', term: 3 } },
    brokers: [{ node: 'broker-0:8082', state: 'ready', weight: 100 }],
  });
  expect(JSON.stringify(body)).not.toContain('of the configuration');
});

test('an answer is held until the view changes, and tells the change', async () => {
  const [, { version }] = await view();
  const held = view(`?version=${version}&wait=30s`);
  await soon(() => expect(published.waiting).toBe(1));
  cluster.show({ readAt: 4711 });
  cluster.lead(serving('overlord', node('b:8090'), 1));
  const [status, body] = await held;
  expect([status, body.leaders.overlord.node]).toEqual([200, 'b:8090']);
  expect(body.version).not.toBe(version);
  expect(published.waiting).toBe(0);
});

test('who has another version, or says none, is answered at once', async () => {
  for (const query of [
    '?version=0123456789abcdef&wait=60s',
    '?wait=60s',
    '?version=&wait=60000',
    '?version=1',
  ]) {
    expect((await view(query))[0]).toBe(200);
  }
});

test('when the time is over the answer is the same view, or 304 to who has its tag', async () => {
  const [, { version }] = await view();
  expect(await view(`?version=${version}&wait=10ms`)).toMatchObject([200, { version }]);
  const tag = { 'if-none-match': `W/"${version}"` };
  expect(await view('', tag)).toEqual([304, null]);
  expect(await view('?wait=10ms', tag)).toEqual([304, null]);
  expect((await view('', { 'if-none-match': '"other", W/"another"' }))[0]).toBe(200);
  expect(await view('', { 'if-none-match': `"other", W/"${version}"` })).toEqual([304, null]);
});

test('a tag alone holds the answer, too', async () => {
  const [, { version }] = await view();
  const held = view('?wait=30s', { 'if-none-match': `W/"${version}"` });
  await soon(() => expect(published.waiting).toBe(1));
  cluster.lead(serving('overlord', node('b:8090'), 1));
  expect((await held)[0]).toBe(200);
});

test('what is no wait is refused, with what is expected', async () => {
  for (const wait of ['soon', '61s', '-1s', '', '1e3', '2m']) {
    expect(await view(`?version=a&wait=${wait}`)).toEqual([
      400,
      { error: 'wait: expected a duration from 0 to 60s, such as 20s' },
    ]);
  }
  expect((await view('?version=a&version=b'))[1]).toEqual({
    error: 'version: expected the version of a view',
  });
  expect((await view(`?version=${'a'.repeat(65)}`))[0]).toBe(400);
  expect((await view('?wait=1s&wait=2s'))[0]).toBe(400);
});

test('no more answers are held than may, and a client that leaves makes room', async () => {
  const [, { version }] = await view();
  const query = `/view?version=${version}&wait=60s`;
  const held = Array.from({ length: 20 }, () => get(url + query, { agent: false }).on('error', () => {}));
  await soon(() => expect(published.full).toBe(true));
  const refused = await fetch(url + query);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  // Without waiting it is still told.
  expect((await view())[0]).toBe(200);
  held[0]?.destroy();
  await soon(() => expect(published.full).toBe(false));
  for (const request of held) request.destroy();
  await soon(() => expect(published.waiting).toBe(0));
});

test('of requests that come together on one connection only the first is held', async () => {
  const [, { version }] = await view();
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const request = `GET /view?version=${version}&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  socket.write(request.repeat(10));
  await soon(() => expect(published.waiting).toBe(1));
  cluster.lead(serving('overlord', node('b:8090'), 1));
  let answers = '';
  for await (const piece of socket) {
    answers += piece;
    if (answers.split('HTTP/1.1 200').length === 11) break;
  }
  socket.destroy();
  expect(published.waiting).toBe(0);
});

test('a gateway that ends answers what it holds', async () => {
  const [, { version }] = await view();
  const held = view(`?version=${version}&wait=60s`);
  await soon(() => expect(published.waiting).toBe(1));
  await app.close();
  expect(await held).toMatchObject([200, { version }]);
});

test('a client that takes gzip gets it where it is worth it, with the same tag', async () => {
  crowd();
  const [plain, body] = await raw('/view', {});
  const [packed, bytes] = await raw('/view', { 'accept-encoding': 'br, gzip' });
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
  expect(packed.headers.etag).toBe(plain.headers.etag);
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(gunzipSync(bytes)).toEqual(body);
  expect(bytes.length).toBeLessThan(body.length / 4);
  cluster.show({ brokers: [] });
  const [small] = await raw('/view', { 'accept-encoding': 'gzip' });
  expect(small.headers['content-encoding']).toBeUndefined();
});

test.each([
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['GZIP;q=0.5', true],
  ['gzip;q=0', false],
  ['gzip;q=0.0, *', false],
  ['*', true],
  ['*;q=0, gzip', true],
  ['deflate, br', false],
  ['x-gzip', true],
])('accept-encoding %j takes gzip: %j', (field, takes) => {
  expect(takesGzip(field)).toBe(takes);
});

test('pages of other sites, and other names than ours, are not told the view', async () => {
  expect((await view('', { origin: 'http://evil.example' }))[0]).toBe(403);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end('GET /sd/prometheus HTTP/1.1\r\nHost: evil.example\r\n\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 421 /);
  socket.destroy();
});

test('Prometheus gets the nodes, and no empty list before they are known', async () => {
  expect((await fetch(`${url}/sd/prometheus`)).status).toBe(503);
  discovery.snapshot = snapshotOf(announced('broker', 'http://b1:8082'));
  cluster.show({ complete: true });
  const response = await fetch(`${url}/sd/prometheus`);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(await response.json()).toMatchObject([
    { targets: ['b1:8082'], labels: { __meta_druid_role: 'broker' } },
  ]);
  const etag = response.headers.get('etag') ?? '';
  const again = await fetch(`${url}/sd/prometheus`, { headers: { 'if-none-match': etag } });
  expect(again.status).toBe(304);
  discovery.snapshot = snapshotOf();
  expect(await (await fetch(`${url}/sd/prometheus`)).json()).toEqual([]);
});
