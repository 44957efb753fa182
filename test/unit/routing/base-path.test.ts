import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { belowBasePath, isBelow } from '../../../src/routing/base-path.ts';
import { rememberRoutes } from '../../../src/routing/remembered-routes.ts';
import type { Route, RouteRule } from '../../../src/routing/route.ts';
import { createRouter } from '../../../src/routing/router.ts';
import { SPELLINGS } from '../../kit/clients/spellings.ts';

const plain = createRouter({ allow: ['/druid/broker'] });
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'BREW'] as const;

/** Some are also the beginning of a path of Druid's. */
const basePaths = fc.oneof(
  fc.constantFrom(
    '/druid-prod',
    '/a/b',
    '/druid',
    '/proxy/coordinator',
    '/status',
    '/v1.2',
    '/~x_',
    '/public',
  ),
  fc
    .array(
      fc.stringMatching(/^[\w.~-]{1,6}$/).filter((segment) => !/^\.\.?$/.test(segment)),
      { minLength: 1, maxLength: 3 },
    )
    .map((segments) => `/${segments.join('/')}`),
);

const word = fc.constantFrom(
  ...['druid', 'v2', 'sql', 'indexer', 'v1', 'action', 'proxy', 'coordinator', 'druid-internal', 'status'],
  ...['druid-prod', 'a', 'b', 'public', 'console-config.js', 'unified-console.html', 'enabled', 'health'],
);
const segment = fc.oneof(
  word,
  fc.tuple(word, fc.constantFrom(...Object.values(SPELLINGS))).map(([segment, spelled]) => spelled(segment)),
  fc.constantFrom('', '.', '..', '%2e%2e', '%2f', '%5c', ';x', '%00', '\\', '#', '%zz', '?x=1', '*', 'é'),
  fc.string({ maxLength: 4 }),
);
/** What stands behind a base path: from a slash on. */
const targets = fc.array(segment, { maxLength: 6 }).map((segments) => `/${segments.join('/')}`);

/** The route with the rule that decided. */
function decided(
  router: typeof plain,
  method: string,
  target: string,
  preflight: boolean,
): readonly [Route, RouteRule | null] {
  let rule: RouteRule | null = null;
  const route = router(method, target, preflight, (told) => {
    rule = told;
  });
  return [route, rule];
}

describe('below a base path', () => {
  test('every target has the route that it has without one: role, class, refusal, what the node gets', () => {
    fc.assert(
      fc.property(
        basePaths,
        fc.constantFrom(...METHODS),
        targets,
        fc.boolean(),
        (basePath, method, target, preflight) => {
          const below = belowBasePath(plain, basePath);
          expect(decided(below, method, basePath + target, preflight)).toEqual(
            decided(plain, method, target, preflight),
          );
          expect(rememberRoutes(below)(method, basePath + target, preflight)).toEqual(
            plain(method, target, preflight),
          );
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('the base path alone is what / is, but for the page: that is elsewhere', () => {
    fc.assert(
      fc.property(basePaths, fc.constantFrom(...METHODS), fc.string(), (basePath, method, text) => {
        const below = belowBasePath(plain, basePath);
        for (const query of ['', '?', '?a=b&c', `?${text}`]) {
          const route = plain(method, `/${query}`);
          const expected =
            route.kind === 'console' ? { kind: 'local', name: 'base-path', target: `/${query}` } : route;
          expect(below(method, basePath + query)).toEqual(expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('outside a base path', () => {
  const below = belowBasePath(plain, '/druid-prod');
  const OUTSIDE = [
    ...['/', '/druid/v2', '/status/health', '/druid', '/druid-pro', '/druid-prodX/druid/v2', '/druid-prod.'],
    ...['/Druid-prod/druid/v2', '/DRUID-PROD/', '/%64ruid-prod/druid/v2', '/x/druid-prod/druid/v2'],
    ...['/druid-prod%2Fdruid/v2', '/druid-prod%3Fx', '/druid-prod%20/druid/v2'],
    ...['/druid%2Dprod/druid/v2', '/proxy/coordinator/druid-prod/status', '/?/druid-prod/druid/v2'],
  ];
  const MALFORMED = [
    ...[
      '//druid-prod/druid/v2',
      '/./druid-prod/druid/v2',
      '/x/../druid-prod/druid/v2',
      '/druid-prod;x/druid/v2',
    ],
    ...[
      '/druid-prod\\druid',
      '/druid-prod#/druid/v2',
      'druid-prod/druid/v2',
      'http://u@gw/druid-prod/druid/v2',
    ],
    ...[
      '/druid-prod%00/druid/v2',
      '',
      '*',
      '\\druid-prod/druid/v2',
      '/%2e%2e/druid-prod',
      '/druid-prod%2F..',
    ],
  ];

  test.each(OUTSIDE)('%s is 404 and tells the base path', (target) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      expect(below(method, target)).toMatchObject({
        kind: 'refused',
        error: {
          status: 404,
          reason: 'path_outside_base',
          message: expect.stringContaining('/druid-prod/,'),
        },
      });
    }
  });

  test.each(MALFORMED)('%j is 400', (target) => {
    expect(below('GET', target)).toMatchObject({ error: { status: 400, reason: 'target_malformed' } });
  });

  test('nothing goes to a node or is answered, whatever it is', () => {
    const anywhere = fc.oneof(
      targets,
      fc.string(),
      fc.tuple(segment, targets).map((both) => both.join('')),
    );
    fc.assert(
      fc.property(basePaths, fc.constantFrom(...METHODS), anywhere, (basePath, method, target) => {
        if (isBelow(basePath, target) || target === '*') return;
        expect(belowBasePath(plain, basePath)(method, target)).toMatchObject({ kind: 'refused' });
      }),
      { numRuns: 5_000 },
    );
  });

  test('OPTIONS * is of the whole server', () => {
    expect(below('OPTIONS', '*')).toEqual(plain('OPTIONS', '*'));
  });
});

test('without a base path the router is the one that it was', () => {
  expect(belowBasePath(plain, '')).toBe(plain);
});
