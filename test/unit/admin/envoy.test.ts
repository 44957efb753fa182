import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import { ENDPOINTS_TYPE } from '../../../src/feeds/envoy.ts';
import { PublishedView } from '../../../src/feeds/published-view.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { broker } from '../feeds/views.ts';
import { FakeCluster, FakeDiscovery, node, serving } from './fakes.ts';

/** Waits for something that happens within milliseconds, on a slow machine too. */
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });

interface Discovered {
  readonly version_info: string;
  readonly type_url: string;
  readonly resources: readonly { readonly cluster_name: string; readonly endpoints: unknown }[];
}

let app: FastifyInstance;
let cluster: FakeCluster;
let published: PublishedView;
let url: string;

beforeEach(async () => {
  cluster = new FakeCluster();
  cluster.show({ complete: true });
  const discovery = new FakeDiscovery();
  const errors = recordErrors();
  published = new PublishedView({ cluster, discovery, draining: () => false, errors });
  app = createAdmin({
    cluster,
    discovery,
    published,
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors,
    draining: () => false,
    version: '1',
    config: {},
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

/** Asks as an Envoy does, with all that it says of itself. */
async function ask(name: unknown, version = '', change: object = {}): Promise<[number, Discovered]> {
  const response = await fetch(`${url}/v3/discovery:endpoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      node: { id: 'e1', cluster: 'c', extensions: Array(500).fill({ name: 'envoy.filters.http.router' }) },
      resource_names: [name],
      type_url: ENDPOINTS_TYPE,
      version_info: version,
      ...change,
    }),
  });
  const text = await response.text();
  return [response.status, text === '' ? null : JSON.parse(text)];
}

const LEADER = 'druid-overlord-leader';

test('an Envoy that has nothing is answered at once, and held while it has what there is', async () => {
  cluster.lead(serving('overlord', node('10.0.0.1:8090'), 1));
  const [status, first] = await ask(LEADER);
  expect(status).toBe(200);
  expect(first).toMatchObject({ type_url: ENDPOINTS_TYPE, resources: [{ cluster_name: LEADER }] });
  const held = ask(LEADER, first.version_info);
  await soon(() => expect(published.waiting).toBe(1));
  // What is no part of the resource does not wake it.
  cluster.show({ brokers: [broker(node('10.0.0.9:8082'))] });
  await soon(() => expect(published.current.brokers.length).toBe(1));
  expect(published.waiting).toBe(1);
  cluster.lead(serving('overlord', node('10.0.0.2:8090'), 2));
  const [, second] = await held;
  expect(JSON.stringify(second.resources)).toContain('10.0.0.2');
  expect(second.version_info).not.toBe(first.version_info);
});

test('an Envoy that refuses an answer does not get it again as fast as it can ask', async () => {
  const [, { version_info: version }] = await ask(LEADER);
  const began = performance.now();
  expect((await ask(LEADER))[1].version_info).toBe(version);
  expect(performance.now() - began).toBeGreaterThan(500);
  // Another one does.
  const other = performance.now();
  await ask(LEADER, '', { node: { id: 'e2' } });
  expect(performance.now() - other).toBeLessThan(500);
});

test('before discovery is complete an Envoy keeps what it has', async () => {
  cluster.show({ complete: false });
  expect((await ask(LEADER))[0]).toBe(503);
});

test('both spellings of JSON for protobuf are read', async () => {
  const body = { resource_names: undefined, resourceNames: ['druid-brokers:druid/broker'], node: undefined };
  expect((await ask('', '', body))[1].resources).toMatchObject([
    { cluster_name: 'druid-brokers:druid/broker' },
  ]);
});

test('what is asked wrongly is refused, with what is expected', async () => {
  expect((await ask('druid-brokers'))[0]).toBe(404);
  expect((await ask(7))[0]).toBe(400);
  expect((await ask(LEADER, '', { resource_names: [] }))[0]).toBe(400);
  expect((await ask(LEADER, '', { version_info: 7 }))[0]).toBe(400);
  expect((await ask(LEADER, '', { node: 'e1' }))[0]).toBe(200);
  expect(
    (await ask(LEADER, '', { type_url: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' }))[0],
  ).toBe(400);
  const nothing = await fetch(`${url}/v3/discovery:endpoints`, { method: 'POST', body: 'x' });
  expect(nothing.status).toBe(400);
});
