import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRouter } from '../../../../src/routing/router.ts';
import {
  createTierSelector,
  type TierSelectorOptions,
} from '../../../../src/routing/tiers/create-tier-selector.ts';
import { parseRules } from '../../../../src/routing/tiers/load-rules.ts';
import { traitsOf } from '../../../../src/routing/tiers/query-traits.ts';
import type { PlacementRule } from '../../../../src/routing/tiers/rules.ts';
import type { StrategyConfig } from '../../../../src/routing/tiers/strategies.ts';
import type { SelectedService } from '../../../../src/routing/tiers/tier-selector.ts';

const route = createRouter({ allow: [] });
const TIERS: TierSelectorOptions['tiers'] = {
  ordered: [
    { tier: 'hot', service: 'druid/hot' },
    { tier: 'warm', service: 'druid/warm' },
    { tier: '_default_tier', service: 'druid/broker' },
    { tier: 'cold', service: 'druid/cold' },
  ],
  defaultService: 'druid/broker',
};

interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function place(options: Partial<TierSelectorOptions>, sent: Sent = {}): SelectedService {
  const selector = createTierSelector({
    tiers: TIERS,
    rules: [],
    strategies: [],
    loadRules: null,
    longest: 64 * 1024,
    now: () => Date.parse('2024-06-15T00:00Z'),
    ...options,
  });
  const { method = 'POST', target = '/druid/v2', headers = {}, body = {} } = sent;
  const found = route(method, target);
  if (found.kind !== 'forward') throw new Error('not a request for Druid');
  const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  // What is not waited for is not there.
  const read = selector.needsBody(found) ? content : Buffer.alloc(0);
  return selector.select({ route: found, header: (name) => headers[name] ?? null, body: read });
}

const by = (reason: SelectedService['by'], service: string, rule: number | null = null): SelectedService => ({
  service,
  by: reason,
  rule,
});
const DEFAULT = by('default', 'druid/broker');
const strategies = (...all: StrategyConfig[]) => ({ strategies: all });

describe('timeBoundary', () => {
  test('queries of that type go to the first tier, others do not', () => {
    const options = strategies({ type: 'timeBoundary' });
    expect(place(options, { body: { queryType: 'timeBoundary', dataSource: 'a' } })).toEqual(
      by('timeBoundary', 'druid/hot'),
    );
    expect(place(options, { body: { queryType: 'topN' } })).toEqual(DEFAULT);
    expect(place(options, { target: '/druid/v2/sql', body: { queryType: 'timeBoundary' } })).toEqual(DEFAULT);
  });
});

describe('priority', () => {
  const at = (priority: unknown, config: Partial<StrategyConfig> = {}): SelectedService =>
    place(strategies({ type: 'priority', ...config }), { body: { context: { priority } } });

  test.each<[unknown, SelectedService]>([
    [-1, by('priority', 'druid/cold')],
    ['-1', by('priority', 'druid/cold')],
    [0, DEFAULT],
    [1, DEFAULT],
    [2, by('priority', 'druid/hot')],
    [undefined, DEFAULT],
    ['high', DEFAULT],
    [null, DEFAULT],
  ])('%j goes where the documentation says', (priority, expected) => {
    expect(at(priority)).toEqual(expected);
  });

  test('both directions go to the default service where it is to be as the Router is', () => {
    expect(at(-1, { compatible: true })).toEqual(by('priority', 'druid/broker'));
    expect(at(2, { compatible: true })).toEqual(by('priority', 'druid/broker'));
    expect(at(1, { compatible: true })).toEqual(DEFAULT);
  });

  test('the bounds are those that are set', () => {
    const bounds = { minPriority: -5, maxPriority: 100 };
    expect(at(-5, bounds)).toEqual(DEFAULT);
    expect(at(-6, bounds)).toEqual(by('priority', 'druid/cold'));
    expect(at(101, bounds)).toEqual(by('priority', 'druid/hot'));
  });

  test('is not for SQL', () => {
    const sent = { target: '/druid/v2/sql', body: { context: { priority: -1 } } };
    expect(place(strategies({ type: 'priority' }), sent)).toEqual(DEFAULT);
  });
});

describe('manual', () => {
  const manual = strategies({ type: 'manual' });
  const warm = { context: { brokerService: 'druid/warm' } };

  test.each([
    '/druid/v2',
    '/druid/v2/?pretty',
    '/druid/v2/sql',
    '/druid/v2/sql/',
    '/druid/v2/sql/statements',
  ])('takes the service of the context at %s', (target) => {
    expect(place(manual, { target, body: warm })).toEqual(by('manual', 'druid/warm'));
    expect(place(manual, { target, body: { context: { brokerService: 'druid/other' } } })).toEqual(DEFAULT);
    expect(place(manual, { target, body: {} })).toEqual(DEFAULT);
  });

  test('else its own default, if that is a service of the map', () => {
    const to = (defaultManualBrokerService: string, body: unknown = {}) =>
      place(strategies({ type: 'manual', defaultManualBrokerService }), { target: '/druid/v2/sql', body });
    expect(to('druid/cold')).toEqual(by('manual', 'druid/cold'));
    expect(to('druid/cold', warm)).toEqual(by('manual', 'druid/warm'));
    expect(to('druid/other')).toEqual(DEFAULT);
  });

  test('SQL without a context has that default, too', () => {
    const options = strategies({ type: 'manual', defaultManualBrokerService: 'druid/cold' });
    for (const type of ['text/plain', 'text/plain; charset=utf-8', 'application/x-www-form-urlencoded']) {
      const sent = {
        target: '/druid/v2/sql',
        headers: { 'content-type': type },
        body: Buffer.from('SELECT 1'),
      };
      expect(place(options, sent)).toEqual(by('manual', 'druid/cold'));
    }
  });

  test('leaves SQL out where it is told to', () => {
    const options = strategies({ type: 'manual', sql: false });
    expect(place(options, { target: '/druid/v2/sql', body: warm })).toEqual(DEFAULT);
    expect(place(options, { body: warm })).toEqual(by('manual', 'druid/warm'));
  });
});

test('the first strategy that has an answer wins', () => {
  const body = { queryType: 'timeBoundary', context: { priority: -1, brokerService: 'druid/warm' } };
  const all: StrategyConfig[] = [{ type: 'timeBoundary' }, { type: 'priority' }, { type: 'manual' }];
  expect(place({ strategies: all }, { body }).by).toBe('timeBoundary');
  expect(place({ strategies: all.toReversed() }, { body }).by).toBe('manual');
});

describe('load rules', () => {
  const book = parseRules({
    wiki: [
      { type: 'loadByPeriod', period: 'P1M', tieredReplicants: { cold: 1, hot: 2 } },
      { type: 'loadForever', tieredReplicants: { cold: 1 } },
    ],
    elsewhere: [{ type: 'loadForever', tieredReplicants: { archive: 1 } }],
    _default: [{ type: 'loadForever', tieredReplicants: { _default_tier: 2 } }],
  });
  const options = { loadRules: { book: () => book, defaultRule: '_default' } };
  const about = (
    dataSource: unknown,
    intervals: unknown = ['2024-06-01/P1D'],
    others: object = {},
  ): SelectedService => place(options, { body: { queryType: 'topN', dataSource, intervals, ...others } });

  test('choose the first tier in order that has the data', () => {
    expect(about('wiki')).toEqual(by('loadRules', 'druid/hot'));
    expect(about('wiki', '2020/2021')).toEqual(by('loadRules', 'druid/cold'));
    expect(about('unknown')).toEqual(by('loadRules', 'druid/broker'));
    expect(about('elsewhere')).toEqual(DEFAULT);
  });

  test('go by the first table', () => {
    const table = { type: 'table', name: 'wiki' };
    const lookup = { type: 'lookup', lookup: 'names' };
    expect(about({ type: 'query', query: { queryType: 'groupBy', dataSource: 'wiki' } }).service).toBe(
      'druid/hot',
    );
    expect(about({ type: 'union', dataSources: ['wiki', 'elsewhere'] }).service).toBe('druid/hot');
    expect(about({ type: 'join', left: table, right: lookup }).service).toBe('druid/hot');
    expect(about({ type: 'unnest', base: { type: 'filter', base: table } }).service).toBe('druid/hot');
    expect(about(lookup)).toEqual(by('loadRules', 'druid/broker'));
  });

  test('have no answer for intervals that cannot be read, for SQL, and before they are read themselves', () => {
    expect(about('wiki', 'yesterday')).toEqual(DEFAULT);
    expect(place(options, { target: '/druid/v2/sql', body: { dataSource: 'wiki' } })).toEqual(DEFAULT);
    const unread = { loadRules: { book: () => null, defaultRule: '_default' } };
    expect(place(unread, { body: { dataSource: 'wiki' } })).toEqual(DEFAULT);
  });

  test('come after the strategies', () => {
    const body = { queryType: 'topN', dataSource: 'wiki', context: { priority: -1 } };
    expect(place({ ...options, ...strategies({ type: 'priority' }) }, { body }).by).toBe('priority');
  });
});

describe("the gateway's own rules", () => {
  const rule = (match: PlacementRule['match'], service = 'druid/warm'): Partial<TierSelectorOptions> => ({
    rules: [{ match, service }],
  });
  const sql = {
    target: '/druid/v2/sql?x',
    body: { query: 'SELECT 1', context: { team: 'bi', limit: 7, on: true } },
  };
  const native = { body: { queryType: 'topN', dataSource: { type: 'union', dataSources: ['a', 'b'] } } };
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  test.each<[string, PlacementRule['match'], Sent, boolean]>([
    ['a path', { path: '/druid/v2/sql' }, sql, true],
    ['a part of a path', { path: '/druid/v2/sq' }, sql, false],
    [
      'a path of another kind',
      { path: '/druid/v1/lookups' },
      { method: 'GET', target: '/druid/v1/lookups/x' },
      true,
    ],
    ['a header', { header: 'X-Team' }, { headers: { 'x-team': 'any' } }, true],
    ['a header that is not there', { header: 'X-Team' }, {}, false],
    ['the value of a header', { header: 'X-Team:  bi' }, { headers: { 'x-team': 'bi' } }, true],
    ['another value of a header', { header: 'X-Team: bi' }, { headers: { 'x-team': 'bin' } }, false],
    ['a user', { user: 'grafana' }, { headers: basic('grafana:se:cret') }, true],
    ['another user', { user: 'grafana' }, { headers: basic('grafan:a') }, false],
    [
      'a user of another scheme',
      { user: 'grafana' },
      { headers: { authorization: 'Bearer grafana' } },
      false,
    ],
    ['no user', { user: 'grafana' }, {}, false],
    ['a datasource, nested', { datasource: 'b' }, native, true],
    ['a datasource of SQL', { datasource: 'b' }, sql, false],
    ['a query type', { queryType: 'topN' }, native, true],
    ['SQL', { queryType: 'sql' }, sql, true],
    ['a key of the context', { contextKey: 'team' }, sql, true],
    ['a key that objects have anyway', { contextKey: 'toString' }, sql, false],
    ['a value of the context', { contextKey: 'team', contextValue: 'bi' }, sql, true],
    ['a number in the context', { contextKey: 'limit', contextValue: '7' }, sql, true],
    ['a truth value in the context', { contextKey: 'on', contextValue: 'true' }, sql, true],
    ['another value of the context', { contextKey: 'team', contextValue: 'hr' }, sql, false],
    [
      'all at once',
      { path: '/druid/v2', user: 'u', contextKey: 'team' },
      { ...sql, headers: basic('u:p') },
      true,
    ],
    [
      'all but one',
      { path: '/druid/v2', user: 'u', contextKey: 'x' },
      { ...sql, headers: basic('u:p') },
      false,
    ],
    ['something of a body that is not read', { queryType: 'topN' }, { body: Buffer.alloc(0) }, false],
  ])('match %s', (_, match, sent, matches) => {
    expect(place(rule(match), sent)).toEqual(matches ? by('rule', 'druid/warm', 1) : DEFAULT);
  });

  test('come first, in their order, and are named by their number', () => {
    const rules = [
      { match: { queryType: 'groupBy' }, service: 'druid/hot' },
      { match: { datasource: 'a' }, service: 'druid/cold' },
      { match: { path: '/druid/v2' }, service: 'druid/warm' },
    ];
    const options = { rules, ...strategies({ type: 'manual', defaultManualBrokerService: 'druid/hot' }) };
    expect(place(options, native)).toEqual(by('rule', 'druid/cold', 2));
    expect(place(options, sql)).toEqual(by('rule', 'druid/warm', 3));
  });
});

describe('bodies', () => {
  const warm = Buffer.from(JSON.stringify({ context: { brokerService: 'druid/warm' } }));
  const manual = strategies({ type: 'manual', defaultManualBrokerService: 'druid/cold' });

  test('that are gzipped are understood', () => {
    expect(place(manual, { body: gzipSync(warm) })).toEqual(by('manual', 'druid/warm'));
  });

  test('that are not read go to the default service: Smile, too long, no JSON, gzip that is none', () => {
    const long = Buffer.from(
      JSON.stringify({ pad: 'x'.repeat(70_000), context: { brokerService: 'druid/warm' } }),
    );
    for (const body of [
      long,
      gzipSync(long),
      Buffer.from(':)\n\u0000'),
      Buffer.from('[1]'),
      Buffer.from('{'),
    ]) {
      expect(place(manual, { body })).toEqual(DEFAULT);
    }
    expect(place(manual, { body: gzipSync(warm).subarray(0, 20) })).toEqual(DEFAULT);
    for (const type of ['application/x-jackson-smile', 'application/smile']) {
      expect(place(manual, { headers: { 'content-type': type }, body: warm })).toEqual(DEFAULT);
    }
  });

  test('are waited for only where something asks for them', () => {
    const needs = (options: Partial<TierSelectorOptions>, target: string, method = 'POST'): boolean => {
      const found = route(method, target);
      const selector = createTierSelector({
        tiers: TIERS,
        rules: [],
        strategies: [],
        loadRules: null,
        longest: 1,
        now: () => 0,
        ...options,
      });
      return found.kind === 'forward' && selector.needsBody(found);
    };
    const native = strategies({ type: 'timeBoundary' }, { type: 'priority' });
    expect(needs(native, '/druid/v2')).toBe(true);
    expect(needs(native, '/druid/v2/sql')).toBe(false);
    expect(needs(strategies({ type: 'manual' }), '/druid/v2/sql')).toBe(true);
    expect(needs(strategies({ type: 'manual' }), '/druid/v2/datasources', 'GET')).toBe(false);
    expect(needs({ rules: [{ match: { path: '/druid/v2' }, service: 'druid/hot' }] }, '/druid/v2')).toBe(
      false,
    );
    expect(needs({ rules: [{ match: { queryType: 'sql' }, service: 'druid/hot' }] }, '/druid/v2/sql')).toBe(
      true,
    );
    expect(needs({ loadRules: { book: () => null, defaultRule: '' } }, '/druid/v2')).toBe(true);
  });

  test('of any kind never throw, however deep they are', () => {
    const nested = ['{"dataSource":{"type":"query","query":'.repeat(2_000), '{}', '}}'.repeat(2_000)].join(
      '',
    );
    expect(traitsOf('native', Buffer.from(nested), null, 1_000_000)?.datasources).toEqual([]);
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('native' as const, 'sql' as const), (text, kind) => {
        traitsOf(kind, Buffer.from(text), null, 1_000_000);
      }),
    );
    const part = fc.dictionary(
      fc.constantFrom(
        'dataSource',
        'query',
        'left',
        'right',
        'base',
        'dataSources',
        'name',
        'context',
        'intervals',
      ),
      fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.string()), fc.object()),
    );
    fc.assert(
      fc.property(part, (query) => {
        traitsOf('native', Buffer.from(JSON.stringify(query)), null, 1_000_000);
      }),
    );
  });
});
