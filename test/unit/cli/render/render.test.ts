import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderExplanation } from '../../../../src/cli/render/explanation.ts';
import { renderHistory } from '../../../../src/cli/render/history.ts';
import { renderStatus } from '../../../../src/cli/render/status.ts';
import { styleFor } from '../../../../src/logs/style.ts';

const screen = { width: 80, style: styleFor({}, {}) };
const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

const STATUS = {
  version: '1.2.3',
  uptime: 10_000,
  draining: true,
  workers: [{ state: 'serving' }, { state: 'starting' }],
  leaders: {
    coordinator: {
      state: 'serving',
      node: '10.0.0.1:8081',
      term: 12,
      age: 3_725,
      knownBy: 'both',
      waitReason: null,
      rivals: ['10.0.0.2:8081'],
      outstanding: 3,
    },
    overlord: { state: 'none', node: null, term: null, age: 2, knownBy: 'nothing', waitReason: 'no_leader' },
  },
  brokers: [
    {
      node: '10.0.0.3:8082',
      service: 'druid/broker',
      ready: true,
      share: 0.1,
      outstanding: 7,
      why: 'ready',
      lastMinute: { attempts: 120, errors: 3, p50Ms: 12.4, p99Ms: 2_450 },
    },
  ],
  discovery: { kind: 'zookeeper', state: 'connected', age: 1.5 },
};

test('status says who leads, for how long and how that is known, and why each Broker gets queries', () => {
  const text = renderStatus(STATUS, 'http://127.0.0.1:9888', screen);
  expect(text).toBe(`druid-gateway 1.2.3 at http://127.0.0.1:9888, up 2h 46m, draining
discovery: zookeeper connected, read 1.5s ago
workers: 1 of 2 serve

ROLE         STATE             NODE           TERM  FOR    KNOWN BY  REQUESTS
coordinator  serving           10.0.0.1:8081  12    1h 2m  both      3
overlord     none (no_leader)  -              -     2s     nothing   -

rivals of the coordinator: 10.0.0.2:8081

BROKER         SERVICE       REQUESTS  P50   P99   ERRORS  SHARE  WHY
10.0.0.3:8082  druid/broker  7         12ms  2.4s  3/120   10%    ready`);
  expect(widest(text)).toBeLessThanOrEqual(80);
  const whole = {
    ...STATUS,
    brokers: [{ node: 'a:1', service: 's', share: 1, outstanding: 0, why: 'ready' }],
  };
  expect(renderStatus(whole, 'http://x', screen)).toContain(`BROKER  SERVICE  REQUESTS  P50  P99  ERRORS  WHY
a:1     s        0         -    -    -       ready`);
  expect(renderStatus({}, 'http://x', screen)).toContain('no Brokers');
  const below = { ...STATUS, config: { listen: { basePath: '/druid-prod' } } };
  expect(renderStatus(below, 'http://x', screen)).toContain('\nclients: below /druid-prod/\n');
});

test('history says from when, how long, and what waited', () => {
  const term = { role: 'coordinator', node: '10.0.0.1:8081', term: 12, knownBy: 'both' };
  const text = renderHistory(
    {
      since: '2026-11-26T09:00:00.000Z',
      terms: [
        {
          ...term,
          from: '2026-11-26T09:00:00.000Z',
          to: '2026-11-26T10:30:00.000Z',
          gapMs: null,
          waited: 0,
          failed: 0,
        },
        { ...term, from: '2026-11-26T10:30:03.500Z', to: null, gapMs: 3_500, waited: 20, failed: 8 },
      ],
    },
    screen,
    Date.parse('2026-11-26T10:31:03.500Z'),
  );
  expect(text).toBe(`FROM (UTC)           ROLE         NODE           TERM  FOR     GAP   WAITED
2026-11-26 09:00:00  coordinator  10.0.0.1:8081  12    1h 30m  -     0
2026-11-26 10:30:03  coordinator  10.0.0.1:8081  12    1m      3.5s  20, 8 failed`);
  expect(renderHistory({ since: '2026-11-26T09:00:00.000Z', terms: [] }, screen, 0)).toBe(
    'nobody has led since 2026-11-26 09:00:00',
  );
});

test('an explanation begins with what happens, and ends with the nodes', () => {
  const explanation = {
    worker: 1,
    request: { method: 'POST', path: '/druid/v2/sql', client: '10.1.2.3' },
    route: { kind: 'forward', role: 'broker', class: 'query', rule: { by: 'path', matched: '/druid/v2' } },
    tier: { service: 'hot', by: 'rule', rule: 2, fellBack: false, loadRulesAgeMs: null },
    choice: {
      nodes: ['10.0.0.3:8082'],
      by: 'draw',
      candidates: [
        { node: '10.0.0.3:8082', service: 'hot', outstanding: 0, refusal: null },
        { node: '10.0.0.4:8082', service: 'cold', outstanding: 5, refusal: 'it is of another service, cold' },
      ],
    },
    redirect: { asConfigured: null, inRedirectMode: 'http://10.0.0.3:8082/druid/v2/sql' },
    limits: { large: false, place: 'enters', running: 5, waiting: 0, queued: 0 },
    outcome: { kind: 'relayed', nodes: ['10.0.0.3:8082'] },
    evidence: { discovery: 'connected', discoveryAgeMs: 1_200, leader: null },
  };
  const text = renderExplanation(explanation, screen);
  expect(text).toBe(`outcome   relayed by 10.0.0.3:8082
request   POST /druid/v2/sql
client    10.1.2.3
route     broker, class query (path: /druid/v2)
tier      hot, by rule 2
chosen    10.0.0.3:8082: the less busy of two drawn at random
redirect  none; in redirect mode to http://10.0.0.3:8082/druid/v2/sql
limits    enters: of its role 5 at nodes, 0 waiting, 0 of them for room
evidence  discovery connected, read 1.2s ago
worker    1, whose own counts and parts of the limits these are

NODE           SERVICE  REQUESTS  MAY GET IT
10.0.0.3:8082  hot      0         yes
10.0.0.4:8082  cold     5         no: it is of another service, cold`);
});

test('whatever JSON comes is rendered, and nothing of it acts on the terminal', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal.
  const acts = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;
  const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }));
  const keys = [
    'leaders',
    'brokers',
    'terms',
    'choice',
    'outcome',
    'route',
    'evidence',
    'tier',
    'limits',
    'workers',
  ];
  const some = fc.dictionary(
    fc.constantFrom(...keys),
    fc.oneof(value, fc.array(value), fc.dictionary(fc.string(), value)),
  );
  fc.assert(
    fc.property(fc.oneof(value, some), (body) => {
      expect(renderStatus(body, 'http://x', screen)).not.toMatch(acts);
      expect(renderHistory(body, screen, 0)).not.toMatch(acts);
      expect(renderExplanation(body, screen)).not.toMatch(acts);
    }),
  );
});
