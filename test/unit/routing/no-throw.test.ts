import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import { parseAnnouncement } from '../../../src/discovery/announcement.ts';
import { parseLatch } from '../../../src/discovery/zookeeper/latch.ts';
import { WholeBody } from '../../../src/http/body.ts';
import { createAddressSet } from '../../../src/net/address-set.ts';
import { parseOrigin } from '../../../src/net/origin.ts';
import { canonicalPath, decodedFully, hidesSeparators } from '../../../src/routing/canonical-path.ts';
import { connectionIdOf } from '../../../src/routing/jdbc/connection-id.ts';
import { cancelledId, cancelTarget, isQueryId, queryContextOf } from '../../../src/routing/query-context.ts';
import { createAddressMap } from '../../../src/routing/redirect/address-map.ts';
import { createRedirectPolicy } from '../../../src/routing/redirect/redirect-policy.ts';
import { createRouter } from '../../../src/routing/router.ts';
import { checkTarget } from '../../../src/routing/target-check.ts';
import { createTierSelector } from '../../../src/routing/tiers/create-tier-selector.ts';
import { parseRules } from '../../../src/routing/tiers/load-rules.ts';
import { traitsOf } from '../../../src/routing/tiers/query-traits.ts';
import { intervalsOf, parseInterval, parsePeriod } from '../../../src/time/intervals.ts';
import { bodies, EXTREMES, texts } from '../../kit/clients/corners.ts';

const LIMIT = 64 * 1024 * 1024;
const tiers = {
  ordered: [
    { tier: 'hot', service: 'hot' },
    { tier: '_default_tier', service: 'cold' },
  ],
  defaultService: 'cold',
};
const book = parseRules({
  t: [{ type: 'loadByPeriod', period: 'P1M' }],
  _default: [{ type: 'loadForever' }],
});
const selector = createTierSelector({
  tiers,
  rules: [
    { match: { header: 'x: 1', user: 'u', path: '/druid/v2' }, service: 'hot' },
    { match: { datasource: 't', queryType: 'scan', contextKey: 'a', contextValue: '1' }, service: 'hot' },
  ],
  strategies: [{ type: 'timeBoundary' }, { type: 'priority' }, { type: 'manual', sql: true }],
  loadRules: { book: () => book, defaultRule: '_default' },
  longest: LIMIT,
  now: () => 0,
});
const router = createRouter({ allow: ['/druid-ext'] });
const map = createAddressMap([
  { from: '10.0.*:*', to: 'https://{hostname-first-label}.{host}.x:{port}/' },
  { from: '*.x', to: 'https://{host}' },
]);
const set = createAddressSet(['10.0.0.0/8', 'fd00::/8', '::1']);
const policy = createRedirectPolicy({
  mode: { coordinator: 'auto', overlord: 'redirect', broker: 'relay' },
  methods: ['GET'],
  clients: ['10.0.0.0/8'],
  addresses: [{ from: '*', to: 'http://{host}' }],
});

function readBody(body: Buffer): void {
  queryContextOf(WholeBody.ofBytes(body));
  for (const kind of ['native', 'sql'] as const) traitsOf(kind, body, null, LIMIT);
  for (const target of ['/druid/v2', '/druid/v2/sql']) {
    const route = { kind: 'forward', role: 'broker', class: 'query', target } as const;
    selector.select({ route, header: () => null, body });
  }
  for (const path of ['/druid/v2/sql/avatica/', '/druid/v2/sql/avatica-protobuf/']) {
    connectionIdOf(path, body, null);
  }
  parseAnnouncement('broker', body);
  parseLatch(new Map([['latch-1', body]]));
}

function readText(text: string): void {
  for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', text]) router(method, text);
  checkTarget(text);
  canonicalPath(text);
  decodedFully(text);
  hidesSeparators(text);
  isQueryId(text);
  cancelledId(text);
  cancelledId(`/druid/v2/sql/${text}`);
  cancelTarget('/druid/v2', text);
  cancelTarget(text, 'id');
  const header = (): string => text;
  const content = Buffer.from('{}');
  for (const type of ['query', 'statement', 'jdbc'] as const) {
    const route = { kind: 'forward', role: 'broker', class: type, target: text } as const;
    selector.select({ route, header, body: content });
    selector.selectByRule({ route, header: () => `Basic ${text}`, body: content });
  }
  traitsOf('native', content, text, LIMIT);
  connectionIdOf(text, Buffer.alloc(0), text);
  map(text);
  set(text);
  policy?.('coordinator', text, text, new UpstreamNode(`http://${text}`));
  policy?.('overlord', 'GET', text, new UpstreamNode(`http://${text}`));
  parseInterval(text);
  parsePeriod(text);
  intervalsOf(text);
  parseOrigin(text);
  parseLatch(new Map([[text, 'refused']]));
}

describe('nothing of routing, nor what reads znodes, throws', () => {
  test('whatever a body holds', () => {
    fc.assert(fc.property(bodies, readBody), { numRuns: 3_000 });
  });

  test.each(EXTREMES.map((text) => [text.slice(0, 30), text.length, text]))(
    'by a body of %j..., %i long',
    (_, __, text) => {
      readBody(Buffer.from(text));
      readBody(gzipSync(text));
    },
  );

  test('whatever a text holds', () => {
    fc.assert(fc.property(texts, readText), { numRuns: 3_000 });
    for (const text of [
      '/'.repeat(100_000),
      '\ud800'.repeat(100_000),
      '%25'.repeat(50_000),
      ' '.repeat(100_000),
      `%${'25'.repeat(50_000)}`,
      `/druid/indexer/v1/x${'.+'.repeat(50_000)}y`,
      `/${'%ef%bc%85'.repeat(10_000)}`,
    ]) {
      readText(text);
    }
  });

  test('whatever rules and intervals are', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        parseRules(value);
        parseRules({ a: [value], b: value });
        intervalsOf(value);
      }),
      { numRuns: 2_000 },
    );
  });
});
