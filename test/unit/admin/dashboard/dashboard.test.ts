import { readdirSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAdmin } from '../../../../src/admin/admin.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from '../fakes.ts';

const ASSETS = readdirSync(new URL('../../../../src/admin/dashboard/assets', import.meta.url));

let app: FastifyInstance;
let cluster: FakeCluster;
let refreshed: number;

beforeEach(() => {
  cluster = new FakeCluster();
  refreshed = 0;
  app = createAdmin({
    cluster,
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    refresh: async () => {
      refreshed++;
      return true;
    },
    settings: () => [{ key: 'parking.maxWait', value: '90s', origin: 'gateway.yaml:4' }],
    errors: recordErrors(),
    draining: () => false,
    version: '1.2.3',
    config: {},
  });
});
afterEach(() => app.close());

const get = (path: string) => app.inject({ url: path, headers: { host: 'localhost' } });

test('the page shows the present state, with the counts of all workers, and the settings with their origins', async () => {
  cluster.lead(serving('coordinator', node('a:8081', 7), 12));
  const { statusCode, headers, body } = await get('/');
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(refreshed).toBe(1);
  expect(body).toContain('a:8081');
  expect(body).toMatch(/parking\.maxWait.*90s.*gateway\.yaml:4/s);
  expect(body).not.toContain('Timeline of leadership');
});

test('nobody may frame, store, sniff or embed the page and its files, and nothing else may run in it', async () => {
  for (const path of ['/', ...ASSETS.map((name) => `/dashboard/${name}`)]) {
    const { statusCode, headers } = await get(path);
    expect([path, statusCode]).toEqual([path, 200]);
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual(expect.arrayContaining(["default-src 'self'", "frame-ancestors 'none'"]));
    expect(policy.join()).not.toMatch(/unsafe|\*|https?:|data:/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
    });
  }
});

test('the files have the types that a browser needs to take them', async () => {
  const types = await Promise.all(
    ['app.js', 'style.css', 'icon.svg'].map(
      async (name) => (await get(`/dashboard/${name}`)).headers['content-type'],
    ),
  );
  expect(types).toEqual(['text/javascript; charset=utf-8', 'text/css; charset=utf-8', 'image/svg+xml']);
});

test.each([
  '/dashboard',
  '/dashboard/',
  '/dashboard/page.ts',
  '/dashboard/%2e%2e/page.ts',
  '/dashboard/..%2fpage.ts',
])('%s is no file of the page', async (path) => {
  expect((await get(path)).statusCode).toBe(404);
});
