import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Route } from '../../../src/routing/route.ts';
import { createRouter } from '../../../src/routing/router.ts';
import { decodedByAll } from '../../kit/clients/spellings.ts';

const route = createRouter({ allow: [] });

/** One word for a route, as the table below spells it. */
function summary(found: Route): string {
  switch (found.kind) {
    case 'forward':
      return `${found.role} ${found.class}`;
    case 'local':
      return `local ${found.name}`;
    case 'console':
      return 'console';
    case 'refused':
      return `${found.error.status} ${found.error.reason}`;
  }
}

const ORACLE: readonly (readonly [request: string, expected: string])[] = [
  ['POST /druid/v2', 'broker query'],
  ['POST /druid/v2/', 'broker query'],
  ['POST /druid/v2?pretty', 'broker query'],
  ['POST /druid/v2/candidates', 'broker query'],
  ['POST /druid/v2/sql', 'broker query'],
  ['POST /druid/v2/sql/', 'broker query'],
  ['POST /druid/v2/sql?capabilities', 'broker query'],
  ['DELETE /druid/v2/abc', 'broker cancel'],
  ['DELETE /druid/v2/sql/abc', 'broker cancel'],
  ['GET /druid/v2/datasources', 'broker read'],
  ['HEAD /druid/v2/datasources', 'broker read'],
  ['GET /druid/v2/sql/engines', 'broker read'],
  ['GET /druid/v2/sql/queries/1/reports', 'broker read'],
  ['POST /druid/v2/sql/task', 'broker statement'],
  ['GET /druid/v2/sql/task/enabled', 'broker read'],
  ['POST /druid/v2/sql/statements', 'broker statement'],
  ['GET /druid/v2/sql/statements/query-1', 'broker read'],
  ['GET /druid/v2/sql/statements/query-1/results?page=0', 'broker stream'],
  ['DELETE /druid/v2/sql/statements/query-1', 'broker statement'],
  ['POST /druid/v2/sql/avatica', 'broker jdbc'],
  ['POST /druid/v2/sql/avatica/', 'broker jdbc'],
  ['POST /druid/v2/sql/avatica-protobuf/', 'broker jdbc'],
  ['PUT /druid/v2/abc', 'broker write'],
  ['GET /druid/v1/lookups/introspect/countries/keys', 'broker read'],
  ['GET /druid/v2x', '404 path_unknown'],
  ['GET /druid/v3', '404 path_unknown'],
  ['GET /druid/coordinator/v1/leader', 'coordinator read'],
  ['GET /druid/coordinator/v1/cluster', 'coordinator read'],
  ['GET /druid/coordinator/v1/cluster?full=true', 'coordinator read'],
  ['GET /druid/coordinator/v1/cluster/broker', '404 path_denied'],
  ['GET /druid/coordinator/v1/cluster/middleManager', '404 path_denied'],
  ['GET /druid/coordinator/v1/cluster/BROKER', '404 path_denied'],
  ['GET /druid/coordinator/v1/cluster/broker/', '404 path_denied'],
  ['GET /druid/coordinator/v1/cluster/%62roker', '404 path_denied'],
  ['GET /druid/coordinator/v1/cluster/anything', '404 path_denied'],
  ['GET /proxy/overlord/druid/coordinator/v1/cluster/anything', '404 path_denied'],
  ['POST /druid/coordinator/v1/rules/wiki', 'coordinator write'],
  ['DELETE /druid/coordinator/v1/datasources/wiki', 'coordinator write'],
  ['GET /druid/coordinatorx', '404 path_unknown'],
  ['GET /druid/COORDINATOR/v1/leader', '404 path_unknown'],
  ['GET /druid/indexer/v1/leader', 'overlord read'],
  ['POST /druid/indexer/v1/task', 'overlord write'],
  ['POST /druid/indexer/v1/sampler', 'overlord read'],
  ['POST /druid/indexer/v1/sampler?for=connect', 'overlord read'],
  ['POST /proxy/overlord/druid/indexer/v1/taskStatus', 'overlord read'],
  ['POST /druid/indexer/v1/activeLocks', 'overlord read'],
  ['POST /druid/indexer/v1/lockedIntervals/v2/', 'overlord read'],
  ['POST /druid/indexer/v1/compaction/simulate', 'overlord read'],
  ['POST /druid/indexer/v1/compaction/config/datasources/a', 'overlord write'],
  ['POST /druid/coordinator/v1/compaction/simulate', 'coordinator read'],
  ['POST /druid/coordinator/v1/metadata/dataSourceInformation', 'coordinator read'],
  ['POST /druid/coordinator/v1/metadata/bootstrapSegments', 'coordinator read'],
  ['POST /druid/coordinator/v1/metadata/datasources/a%2Fb/segments?full', 'coordinator read'],
  ['POST /druid/coordinator/v1/metadata/datasources/a', 'coordinator write'],
  ['PUT /druid/indexer/v1/sampler', 'overlord write'],
  ['POST /druid/indexer/v1/sampler/x', 'overlord write'],
  ['GET /druid/indexer/v1/task/id/log?offset=-1000', 'overlord stream'],
  ['GET /druid/indexer/v1/task/id%3Fx/status', 'overlord read'],
  ['POST /druid/indexer/v1/worker/host:8091/disable', 'overlord write'],
  ['POST /druid/indexer/v1/action', '404 path_denied'],
  ['POST /druid/indexer/v1/action/', '404 path_denied'],
  ['POST /druid/indexer/v1/%61ction', '404 path_denied'],
  ['POST /druid/indexer/v1/actions', 'overlord write'],
  ['GET /druid/router/v1/brokers', 'local router-brokers'],
  ['POST /druid/router/v1/brokers', '405 method_not_allowed'],
  ['GET /druid/router/v1/other', '404 path_unknown'],
  ['GET /druid/broker/v1/readiness', 'local broker-readiness'],
  ['HEAD /druid/broker/v1/readiness', 'local broker-readiness'],
  ['POST /druid/broker/v1/readiness', '405 method_not_allowed'],
  ['GET /druid/broker/v1/loadstatus', '404 path_denied'],
  ['GET /proxy/coordinator/druid/broker/v1/readiness', '404 path_denied'],
  ['POST /druid/broker/v1/catalog/sync', '404 path_denied'],
  ['GET /druid/historical/v1/readiness', '404 path_denied'],
  ['POST /druid/listen/v1/lookups', '404 path_denied'],
  ['POST /druid/worker/v1/disable', '404 path_denied'],
  ['GET /druid/dart-worker/x', '404 path_denied'],
  ['GET /druid-internal/v1/segments', '404 path_denied'],
  ['GET /druid-internal', '404 path_denied'],
  ['GET /druid-ext/basic-security/authentication/db/x/users', 'coordinator read'],
  ['POST /druid-ext/basic-security/authentication/db/x/users/y', 'coordinator write'],
  ['GET /druid-ext/basic-security/authentication/listen/x', '404 path_denied'],
  ['GET /druid-ext/basic-security/authentication/db/x/cachedSerializedUserMap', '404 path_denied'],
  ['GET /druid-ext/druid-pac4j/callback', '404 path_denied'],
  ['GET /druid-ext', '404 path_denied'],
  ['GET /info', '404 path_denied'],
  ['GET /coordinator/false', '404 path_denied'],
  ['GET /overlord/false', '404 path_denied'],
  ['GET /proxy/enabled', 'local proxy-enabled'],
  ['GET /proxy/coordinator/status', 'coordinator read'],
  ['GET /proxy/COORDINATOR/status', 'coordinator read'],
  ['GET /proxy/overlord/status/properties', 'overlord read'],
  ['POST /proxy/overlord/druid/indexer/v1/task', 'overlord write'],
  ['POST /proxy/overlord/druid/indexer/v1/action', '404 path_denied'],
  ['GET /proxy/coordinator/druid-internal/v1/segments', '404 path_denied'],
  ['GET /proxy/coordinator/druid-ext/basic-security/authorization/db/x/users', 'coordinator read'],
  ['GET /proxy/coordinator/anything', '404 path_unknown'],
  ['GET /proxy/coordinator', '404 path_unknown'],
  ['GET /proxy/coordinator/', '404 path_unknown'],
  ['GET /proxy/historical/status', '400 proxy_destination_unknown'],
  ['GET /proxy', '400 proxy_destination_unknown'],
  ['GET /PROXY/coordinator/status', '404 path_unknown'],
  ['GET /status', 'local status'],
  ['GET /status/', 'local status'],
  ['GET /status/health', 'local status-health'],
  ['GET /status/ready', 'local status-ready'],
  ['GET /status/properties', 'local status-properties'],
  ['GET /status/selfDiscovered', 'local self-discovered'],
  ['GET /status/selfDiscovered/status', 'local self-discovered-status'],
  ['GET /status/other', '404 path_unknown'],
  ['POST /status', '405 method_not_allowed'],
  ['GET /', 'console'],
  ['GET /?x', 'console'],
  ['HEAD /unified-console.html', 'console'],
  ['GET /console-config.js', 'console'],
  ['GET /public/web-console-33.0.0.js', 'console'],
  ['GET /assets/logo.svg', 'console'],
  ['GET /favicon.png', 'console'],
  ['POST /', '405 method_not_allowed'],
  ['GET /public', '404 path_unknown'],
  ['GET /nothing', '404 path_unknown'],
  ['GET /%64ruid/v2/datasources', '404 path_unknown'],
  ['GET /druid%2Fv2/datasources', '400 target_malformed'],
  ['GET /druid/v2/%2e%2e/coordinator', '400 target_malformed'],
  ['GET /druid/v2/.%2E/coordinator', '400 target_malformed'],
  ['GET /druid/v2/%252e%252e/coordinator', '400 target_malformed'],
  ['GET /druid/v2/../coordinator', '400 target_malformed'],
  ['GET /druid/./v2', '400 target_malformed'],
  ['GET /druid/v2/%c0%ae%c0%ae/x', '400 target_malformed'],
  ['GET //druid/v2', '400 target_malformed'],
  ['GET /druid//v2', '400 target_malformed'],
  ['GET /druid\\v2', '400 target_malformed'],
  ['GET /druid/v2%5cx', '400 target_malformed'],
  ['GET /druid/v2;x=1/sql', '400 target_malformed'],
  ['GET /druid/v2%3bx', '400 target_malformed'],
  ['GET /druid/v2/%zz', '400 target_malformed'],
  ['GET /druid/v2/%0d%0aHost:x', '400 target_malformed'],
  ['GET /druid/v2/#x', '400 target_malformed'],
  ['GET http://elsewhere/druid/v2', '400 target_malformed'],
  ['GET druid/v2', '400 target_malformed'],
  ['GET ', '400 target_malformed'],
  ['GET /druid/v2/datasources?x=..%2f;a//b', 'broker read'],
  ['GET /druid/coordinator/v1/datasources/a..b', 'coordinator read'],
  ['GET /druid/coordinator/v1/datasources/wiki%20edits', 'coordinator read'],
  ['TRACE /', '405 method_not_allowed'],
  ['PATCH /druid/coordinator/v1/config', '405 method_not_allowed'],
  ['OPTIONS /druid/v2', 'local options'],
  ['OPTIONS *', 'local options'],
  ['OPTIONS /druid-internal', '404 path_denied'],
];

test.each(ORACLE)('%s is %s', (request, expected) => {
  const at = request.indexOf(' ');
  expect(summary(route(request.slice(0, at), request.slice(at + 1)))).toBe(expected);
});

test('a forwarded target is the client own bytes, less a /proxy prefix', () => {
  const plain = '/druid/indexer/v1/task/a%20b/status?x=%41&y=+;';
  expect(route('GET', plain)).toMatchObject({ kind: 'forward', target: plain });
  expect(route('GET', `/proxy/overlord${plain}`)).toMatchObject({ kind: 'forward', target: plain });
});

test('405 and OPTIONS name the methods of the path', () => {
  expect(route('POST', '/')).toMatchObject({ error: { allow: 'GET, HEAD, OPTIONS' } });
  expect(route('OPTIONS', '/')).toMatchObject({ allow: 'GET, HEAD, OPTIONS' });
  expect(route('OPTIONS', '/druid/v2')).toMatchObject({ allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' });
});

describe('a configuration can open what is denied', () => {
  const open = createRouter({ allow: ['/druid/indexer/v1/action', '/druid-internal', '/druid/broker'] });

  test.each([
    ['POST', '/druid/indexer/v1/action', 'overlord write'],
    ['GET', '/druid/broker/v1/loadstatus', 'broker read'],
    ['GET', '/proxy/coordinator/druid-internal/v1/segments', 'coordinator read'],
    // No single role serves it without being named.
    ['GET', '/druid-internal/v1/segments', '404 path_denied'],
    ['POST', '/druid/listen/v1/lookups', '404 path_denied'],
    ['POST', '/druid/indexer/v1/%61ction', '404 path_denied'],
  ])('%s %s is %s', (method, target, expected) => {
    expect(summary(open(method, target))).toBe(expected);
  });
});

const segment = fc.oneof(
  fc.constantFrom('druid', 'v2', 'sql', 'indexer', 'v1', 'action', 'proxy', 'coordinator', 'druid-internal'),
  fc.constantFrom(
    '..',
    '.',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    ';',
    '%3B',
    '',
    '%25%32%65',
    'a%2',
    '%00',
    '\\',
    '%252f',
  ),
  fc.string({ maxLength: 4 }),
);
const anyTarget = fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join('/')}`);

test('whatever is forwarded is nothing that is denied, however it is read', () => {
  fc.assert(
    fc.property(fc.constantFrom('GET', 'POST', 'DELETE'), anyTarget, (method, target) => {
      const found = route(method, target);
      if (found.kind !== 'forward') return;
      const path = found.target.split('?')[0] ?? '';
      expect(path).not.toMatch(/\\|;|\/\/|#/);
      for (const decoded of decodedByAll(path)) {
        expect(decoded).not.toMatch(
          /(^|\/)\.\.?(\/|$)|^\/druid-internal|^\/druid\/indexer\/v1\/action(\/|$)/,
        );
      }
    }),
    { numRuns: 3_000 },
  );
});

test('no target makes the router throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ unit: 'binary' }), (method, target) => {
      expect(summary(route(method, target))).toBeTruthy();
    }),
    { numRuns: 2_000 },
  );
});
