import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rememberRoutes } from '../../../src/routing/remembered-routes.ts';
import { createRouter } from '../../../src/routing/router.ts';

const router = createRouter({ allow: [] });

const target = fc.oneof(
  fc.constantFrom(
    '/druid/v2',
    '/druid/v2/sql',
    '/druid/coordinator/v1/datasources',
    '/druid/indexer/v1/task',
  ),
  fc.constantFrom(
    '/',
    '/nothing',
    '/druid-internal/a',
    '/status/health',
    '*',
    '/druid/v2/a%2Fb',
    '/druid/v2/é',
  ),
  fc.string().map((text) => `/druid/v2/${text}`),
);
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'BREW'),
  target,
  preflight: fc.boolean(),
});

test('a remembered route is the one that the router would choose', () => {
  fc.assert(
    fc.property(fc.array(request), (requests) => {
      const remembering = rememberRoutes(router);
      for (const { method, target, preflight } of [...requests, ...requests]) {
        expect(remembering(method, target, preflight)).toEqual(router(method, target, preflight));
      }
    }),
  );
});

test('the router is asked once for each target, and a bounded number is remembered', () => {
  const asked: string[] = [];
  const remembering = rememberRoutes((method, target, preflight) => {
    asked.push(target);
    return router(method, target, preflight);
  });
  for (let i = 0; i < 3; i++) remembering('GET', '/druid/v2/datasources');
  expect(asked).toEqual(['/druid/v2/datasources']);
  for (let i = 0; i < 256; i++) remembering('GET', `/druid/v2/datasources/${i}`);
  remembering('GET', '/druid/v2/datasources');
  expect(asked.filter((target) => target === '/druid/v2/datasources')).toHaveLength(2);
  const long = `/druid/v2/datasources/${'a'.repeat(600)}`;
  for (let i = 0; i < 2; i++) remembering('GET', long);
  expect(asked.filter((target) => target === long)).toHaveLength(2);
});
