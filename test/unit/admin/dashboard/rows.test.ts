import { expect, test } from 'vitest';
import {
  allBrokers,
  BROKERS,
  formatMs,
  formatRate,
  formatSeconds,
  formatShare,
  formatTime,
  headline,
  LEADERS,
  REFUSALS,
  TERMS,
} from '../../../../src/admin/dashboard/assets/rows.js';
import type { Term } from '../../../../src/admin/history/term.ts';
import type { BrokerStatus, LeaderStatus, State } from '../../../../src/admin/status.ts';

const LEADER: LeaderStatus = {
  state: 'serving',
  node: 'a:8081',
  term: 12,
  age: 61,
  knownBy: 'both',
  waitReason: null,
  rivals: [],
  outstanding: 3,
};

function broker(node: string, change: Partial<BrokerStatus> = {}): BrokerStatus {
  const plain = { service: 's', ready: true, cordoned: false, ejected: false, why: 'ready' };
  const lastMinute = { attempts: 0, errors: 0, p50Ms: null, p99Ms: null };
  return { node, ...plain, share: 1, outstanding: 0, lastMinute, ...change };
}

function state(change: Partial<State> = {}): State {
  return {
    version: '1',
    uptime: 1,
    draining: false,
    complete: true,
    leaders: { coordinator: LEADER, overlord: LEADER },
    brokers: [broker('b:1')],
    cordoned: [],
    discovery: {
      kind: 'zookeeper',
      state: 'connected',
      since: '2026-01-01T00:00:00.000Z',
      age: 1,
      detail: null,
    },
    ...change,
  };
}

test.each([
  [0, '0.0 s'],
  [8.23, '8.2 s'],
  [59.9, '59 s'],
  [61, '1 min 1 s'],
  [3_725, '1 h 2 min'],
  [90_061, '1 d 1 h'],
])('%d seconds are written as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

test.each([
  [1.234, '1.2 ms'],
  [999, '999 ms'],
  [8_200, '8.2 s'],
])('%d milliseconds are written as %s', (ms, text) => {
  expect(formatMs(ms)).toBe(text);
});

test.each([
  [0, '0.0%'],
  [0.0004, 'below 0.1%'],
  [0.092, '9.2%'],
])('a share of %d is written as %s', (share, text) => {
  expect(formatShare(share)).toBe(text);
});

test('rates, and times in UTC, are short; what is no time stays as it is', () => {
  expect([formatRate(0.52), formatRate(1_234.5)]).toEqual(['0.5', '1,235']);
  expect(formatTime('2026-01-01T12:01:07.123Z')).toBe('2026-01-01 12:01:07');
  expect(formatTime('yesterday')).toBe('yesterday');
});

test('Brokers that get no queries come first, those that an operator took out in their place', () => {
  const brokers = [
    broker('d:1'),
    broker('c:1', { ready: false, cordoned: true, outstanding: 2 }),
    broker('b:1', { ready: false, ejected: true }),
    broker('a:1', { ready: false }),
    broker('e:1', { ready: false, cordoned: true }),
  ];
  expect(BROKERS.rows(brokers).map(({ cells }) => [cells[0]?.text, cells[1]?.text])).toEqual([
    ['a:1', 'not ready'],
    ['b:1', 'ejected'],
    ['c:1', 'draining'],
    ['d:1', 'ready'],
    ['e:1', 'drained'],
  ]);
});

test('a Broker is told with the latency and the errors of the last minute', () => {
  const lastMinute = { attempts: 1_234, errors: 2, p50Ms: 8.04, p99Ms: 2_400 };
  const [busy, quiet] = BROKERS.rows([broker('a:1', { lastMinute }), broker('b:1')]);
  const columns = ['p50', 'p99', 'Errors'].map((name) => BROKERS.columns.indexOf(name));
  expect(columns.map((i) => busy?.cells[i])).toEqual([
    { text: '8.0 ms' },
    { text: '2.4 s' },
    { text: '2 of 1,234', tone: 'bad' },
  ]);
  expect(columns.map((i) => quiet?.cells[i]?.text)).toEqual(['none', 'none', 'none']);
});

test('a Broker that an operator took out is there while it is away', () => {
  const all = allBrokers(state({ brokers: [broker('b:1', { cordoned: true })], cordoned: ['a:1', 'b:1'] }));
  expect(BROKERS.rows(all).map(({ cells }) => cells.slice(0, 3).map(({ text }) => text))).toEqual([
    ['a:1', 'drained', 'taken out by an operator, and not announced now'],
    ['b:1', 'drained', 'ready'],
  ]);
});

test('the headline says what is missing', () => {
  expect(headline(state())).toEqual({
    text: 'Both leaders serve, 1 of 1 Brokers are ready.',
    tone: 'good',
  });
  const elected = { ...LEADER, state: 'elected', waitReason: 'leader_initialising' } as const;
  expect(headline(state({ leaders: { coordinator: LEADER, overlord: elected } }))).toEqual({
    text: 'No Overlord serves, 1 of 1 Brokers are ready.',
    tone: 'bad',
  });
  expect(headline(state({ brokers: [broker('a:1'), broker('b:1', { ready: false })] })).tone).toBe('warn');
  expect(headline(state({ brokers: [] })).tone).toBe('bad');
  expect(headline(state({ draining: true })).text).toContain('shutting down');
});

test('a leader is told with what speaks against it', () => {
  const doubted = { ...LEADER, rivals: ['z:8081'] };
  const [row] = LEADERS.rows(state({ leaders: { coordinator: doubted, overlord: LEADER } }));
  expect(row?.cells.map(({ text }) => text)).toEqual([
    'Coordinator',
    'serving',
    'a:8081',
    '12',
    '1 min 1 s',
    'both',
    '3',
    'z:8081 says that it leads, too',
  ]);
});

test('a term names who led before, of the same role, and the latest comes first', () => {
  const term = (role: Term['role'], node: string, second: number): Term => ({
    role,
    node,
    term: second,
    from: `2026-01-01T12:00:0${second}.000Z`,
    to: null,
    gapMs: 8_200,
    waited: 143,
    failed: 0,
    knownBy: 'both',
  });
  const rows = TERMS.rows([
    term('overlord', 'a:8090', 1),
    term('coordinator', 'c:8081', 2),
    term('overlord', 'b:8090', 3),
  ]);
  expect(rows.map(({ cells }) => cells[2]?.text)).toEqual(['a:8090 to b:8090', 'c:8081', 'a:8090']);
  expect(rows[0]?.cells.map(({ text }) => text)).toEqual([
    '2026-01-01 12:00:03',
    'Overlord',
    'a:8090 to b:8090',
    '8.2 s',
    '143',
    '0',
    '3',
    'both',
  ]);
});

test('tables that grow with time show their latest twenty', () => {
  const refusals = Array.from({ length: 50 }, (_, i) => ({
    at: new Date(i).toISOString(),
    reason: 'no_leader',
    class: 'query',
    status: 503,
    count: 1,
  }));
  expect(REFUSALS.rows({ classes: {}, refused: {}, refusals })).toHaveLength(20);
});
