import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath, decodedFully } from '../../../src/routing/canonical-path.ts';
import { createRouter } from '../../../src/routing/router.ts';
import { SPELLINGS } from '../../kit/clients/spellings.ts';

const escaped = (text: string): string =>
  [...text].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');

const route = createRouter({ allow: [] });
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'] as const;

/** Paths with names that Druid decodes; `*` is the name. */
const WITH_NAMES: readonly (readonly [method: string, path: string, role: string, routeClass: string])[] = [
  ['DELETE', '/druid/v2/*', 'broker', 'cancel'],
  ['DELETE', '/druid/v2/sql/*', 'broker', 'cancel'],
  ['DELETE', '/druid/v2/sql/dart/*', 'broker', 'cancel'],
  ['GET', '/druid/v2/datasources/*', 'broker', 'read'],
  ['GET', '/druid/v2/datasources/*/dimensions', 'broker', 'read'],
  ['GET', '/druid/v2/sql/statements/*', 'broker', 'read'],
  ['GET', '/druid/v2/sql/statements/*/results?page=0', 'broker', 'stream'],
  ['DELETE', '/druid/v2/sql/statements/*', 'broker', 'statement'],
  ['GET', '/druid/v2/sql/queries/*/reports', 'broker', 'read'],
  ['GET', '/druid/v1/lookups/introspect/*/keys', 'broker', 'read'],
  ['GET', '/druid/coordinator/v1/datasources/*', 'coordinator', 'read'],
  ['DELETE', '/druid/coordinator/v1/datasources/*/intervals/2024_2025', 'coordinator', 'write'],
  ['POST', '/druid/coordinator/v1/rules/*', 'coordinator', 'write'],
  ['GET', '/druid/coordinator/v1/lookups/config/__default/*', 'coordinator', 'read'],
  ['POST', '/druid/coordinator/v1/lookups/config/*/x', 'coordinator', 'write'],
  ['GET', '/druid/coordinator/v1/metadata/datasources/*/segments', 'coordinator', 'read'],
  ['GET', '/druid/indexer/v1/task/*/status', 'overlord', 'read'],
  ['GET', '/druid/indexer/v1/task/*/log?offset=1', 'overlord', 'stream'],
  ['POST', '/druid/indexer/v1/task/*/shutdown', 'overlord', 'write'],
  ['GET', '/druid/indexer/v1/supervisor/*/status', 'overlord', 'read'],
  ['POST', '/druid/indexer/v1/supervisor/*/suspend', 'overlord', 'write'],
  ['GET', '/proxy/overlord/druid/indexer/v1/supervisor/*/stats', 'overlord', 'read'],
  ['GET', '/druid-ext/basic-security/authentication/db/basic/users/*', 'coordinator', 'read'],
  ['POST', '/druid-ext/basic-security/authorization/db/*/users/x', 'coordinator', 'write'],
];

const NAMES = [
  ...['a/b', 'CORP\\jdoe', 'a;b=c', '100%', '%2F', '%0A', 'a/b/c', '/', 'a//b', 'x?y#z', '日本／語'],
  ...[
    'action/x',
    'druid-internal',
    'task/log',
    'a\\b;c/d%e',
    'ｆｕｌｌ',
    '..a',
    'a/...',
    'user@host:1',
    'a b ',
  ],
];

describe('an id that Druid decodes goes on byte for byte', () => {
  test.each(WITH_NAMES)('%s %s', (method, template, role, routeClass) => {
    for (const name of NAMES) {
      const once = encodeURIComponent(name);
      for (const spelled of [once, once.toLowerCase(), encodeURIComponent(once)]) {
        const target = template.replace('*', () => spelled);
        const forwarded = target.replace(/^\/proxy\/overlord/, '');
        expect([target, route(method, target)]).toEqual([
          target,
          { kind: 'forward', role, class: routeClass, target: forwarded },
        ]);
      }
    }
  });
});

test.each([
  ...['GET /druid%2Fv2/datasources', 'POST /druid/v2%2Fsql', 'POST /druid/v2/sql%2Fstatements'],
  ...['POST /druid/v2/sql/statements%2Fx', 'POST /druid/v2/sql%2Favatica', 'POST /druid/v2/sql/avatica%2F'],
  ...['GET /druid/v2%5Cx', 'GET /druid/v2%3Bx/datasources', 'GET /druid/v2/datasources%3Bx/a'],
  ...['GET /druid/coordinator%2Fv1/leader', 'GET /druid/coordinator/v1%2Fleader'],
  ...[
    'POST /druid/indexer/v1/task%2Fx',
    'GET /druid/indexer/v1%252Ftasks',
    'GET /druid/indexer%255Cv1/tasks',
  ],
  ...[
    'GET /proxy%2Fcoordinator/status',
    'GET /proxy/coordinator%2Fstatus',
    'GET /proxy/coordinator/status%2F',
  ],
  ...['GET /status%2Fhealth', 'GET /public/a%2Fb.js', 'GET /assets%5Cb', 'GET /druid/v1%2Flookups/a'],
  ...[
    'GET /druid/v2/datasources/a%2F..%2Fb',
    'GET /druid/v2/datasources/%2e%2e%3bx',
    'DELETE /druid/v2/%252e',
  ],
  ...[
    'GET /druid/v2/datasources/a%0Ab',
    'GET /druid/v2/datasources/a%00',
    'GET /druid/v2/datasources/%c0%af',
  ],
  ...['GET /druid/v2/datasources/%e0%80%af', 'GET /druid/v2/datasources/%f0%80%80%af'],
])('what decides cannot be hidden: %s is 400', (request) => {
  const [method = '', target = ''] = request.split(' ');
  expect(route(method, target)).toMatchObject({ error: { status: 400 } });
});

describe('what is denied stays denied in every spelling', () => {
  const DENIED = [
    ...['/druid/indexer/v1/action', '/druid-internal/v1/segments', '/druid/listen/v1/lookups'],
    ...['/druid/worker/v1/disable', '/druid/historical/v1/loadstatus', '/druid/broker/v1/loadstatus'],
    ...['/druid/dart-worker/x', '/info/x', '/coordinator/false', '/overlord/false'],
    ...['/druid/coordinator/v1/cluster/nobody', '/druid-ext/druid-pac4j/callback'],
    '/druid-ext/basic-security/authentication/listen/x',
    '/druid-ext/basic-security/authentication/db/x/cachedSerializedUserMap',
  ];

  test.each(Object.entries(SPELLINGS))('%s', (_, spell) => {
    for (const path of DENIED) {
      const segments = path.slice(1).split('/');
      for (let at = 0; at < segments.length; at++) {
        const spelled = `/${segments.map((segment, i) => (i === at ? spell(segment) : segment)).join('/')}`;
        for (const target of [
          spelled,
          `${spelled}/`,
          `/proxy/coordinator${spelled}`,
          `/proxy/overlord${spelled}`,
        ]) {
          for (const method of METHODS) {
            const found = route(method, target);
            expect([method, target, found.kind]).toEqual([method, target, 'refused']);
          }
        }
      }
    }
  });

  test('also where several segments are spelled differently, each in several ways at once', () => {
    const spellings = fc.constantFrom(...Object.values(SPELLINGS));
    const several = fc.array(spellings, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.constantFrom(...DENIED),
        fc.array(several, { minLength: 6, maxLength: 6 }),
        fc.constantFrom('', '/proxy/coordinator', '/proxy/overlord'),
        fc.constantFrom(...METHODS),
        (path, by, prefix, method) => {
          const spelled = path
            .slice(1)
            .split('/')
            .map((segment, i) => (by[i] ?? []).reduce((text, spell) => spell(text), segment));
          const target = `${prefix}/${spelled.join('/')}`;
          expect([target, route(method, target).kind]).toEqual([target, 'refused']);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

describe('a path is read', () => {
  test.each([
    ['/druid/indexer/v1/tasks', '/druid/indexer/v1/tasks'],
    ['/druid/indexer/v1/%2561ction', '/druid/indexer/v1/action'],
    ['/a%2f%2fb%5Cc;d', '/a/b/c'],
    ['/a.b/c', '/a.b/c'],
    ['/a./b+', '/a/b'],
    [`/%${'25'.repeat(20_000)}61`, '/a'],
    // Each digit of each escape is escaped, and so on.
    [`/${Array.from({ length: 7 }).reduce<string>((text) => escaped(text), 'a')}`, '/a'],
    // An escape that only a later round completes begins a character whose other octets were there before.
    ['/%ef%bc%85e0%81%a1ction', '/action'],
    ['/%25e0%2580%25a525e0%252581%2525a1ction', '/action'],
    ['/%ef%bc%85u00c1%c1%ef%bc%85a1', '/Áa'],
    ['/%e0%c2%ad%81%a1', '/a'],
    ['/caf%e9', '/café'],
    ['/%aa', '/a'],
  ])('%s as %s', (path, canonical) => {
    expect(canonicalPath(path)).toBe(canonical);
  });

  test('to a fixed point: reading it once more changes nothing', () => {
    const piece = fc.constantFrom(
      '%',
      '2',
      '5',
      '6',
      '1',
      'u',
      '0',
      '/',
      '%25',
      '%61',
      '%c0',
      '%a5',
      '%ef%bc%85',
      'é',
      ...['%e0', '%81', '%a1', '%aa', '%ee%82%a1'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const decoded = decodedFully(`/${pieces.join('')}`);
        if (decoded !== null) expect(decodedFully(decoded)).toBe(decoded);
      }),
      { numRuns: 5_000 },
    );
  });

  test('in a time that grows with its length only', () => {
    // The quickest of several: the machine is slow in the others.
    const took = (length: number, unit: string): number => {
      const path = `/%${unit.repeat(length / unit.length)}x`;
      const times = Array.from({ length: 10 }, () => {
        const began = performance.now();
        canonicalPath(path);
        return performance.now() - began;
      });
      return Math.min(...times);
    };
    for (const unit of ['25', '.', '+.', '%25', '%ef%bc%85', '%20', '%aa', '%aab', '/.']) {
      // 16 times as long: a square would be 256 times, and 64,000 characters of it seconds.
      const limit = 100 * Math.max(took(4_000, unit), 0.5);
      expect([unit, took(64_000, unit) < limit]).toEqual([unit, true]);
    }
  });
});
