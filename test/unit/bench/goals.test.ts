import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GOALS, type Goal, inUnit, judge, nameOf, verdictOf } from '../../../bench/goals.ts';
import { goalTable } from '../../../bench/kind-tables.ts';
import type { Measurement, Results } from '../../../bench/results.ts';
import { WORKLOADS } from '../../../bench/workloads.ts';

const measured = (round: number, peer: string, workload: string, cpuUsPerRequest: number): Measurement => ({
  round,
  peer,
  workload,
  cpuUsPerRequest,
  requestsPerSecond: 1,
  p50Us: 1,
  p99Us: 100 * round,
  rssBytes: 1,
  errors: 0,
});

const results = (others: Partial<Results>): Results => ({
  date: '2026-11-26T12:00:00.000Z',
  rounds: 1,
  seconds: 1,
  minutes: 1,
  machine: { cpu: '', cores: 2, memoryGb: 1, kernel: '', node: '', wrk: '', loadBefore: 0 },
  peers: [],
  leftOut: [],
  workloads: [],
  measurements: [],
  floor: [],
  failOver: [],
  memory: [],
  starts: [],
  druid: [],
  ...others,
});

const SQL: Goal = {
  kind: 'ratio',
  figure: 'cpuUsPerRequest',
  workload: 'sql',
  peer: 'express',
  to: 'nginx',
  most: 1.45,
  wish: 1.25,
};
const figureOf = (goal: Goal, of: Results): number => judge(of, [goal])[0]?.measured ?? Number.NaN;

test('each goal has a name of its own, and its workload is one of the bench', () => {
  expect(new Set(GOALS.map(nameOf)).size).toBe(GOALS.length);
  const known = new Set(WORKLOADS.map(({ name }) => name));
  for (const goal of GOALS) if (goal.kind === 'ratio') expect(known).toContain(goal.workload);
});

test('a ratio is the median of those within rounds, to a peer or to its own sql', () => {
  const measurements = [
    measured(1, 'nginx', 'sql', 10),
    measured(1, 'express', 'sql', 13),
    measured(1, 'express', 'tiers', 26),
    measured(2, 'nginx', 'sql', 20),
    measured(2, 'express', 'sql', 30),
    measured(2, 'express', 'tiers', 30),
    measured(3, 'nginx', 'sql', 10),
    measured(3, 'express', 'sql', 14),
    measured(3, 'express', 'tiers', 21),
  ];
  const run = results({ measurements });
  expect(figureOf(SQL, run)).toBe(1.4);
  expect(figureOf({ ...SQL, workload: 'tiers', to: 'sql' }, run)).toBe(1.5);
  expect(figureOf({ ...SQL, figure: 'p99Us' }, run)).toBe(1);
  expect(figureOf({ ...SQL, figure: 'p999Us' }, run)).toBeNaN();
  expect(figureOf({ ...SQL, to: 'haproxy' }, run)).toBeNaN();
});

test('memory and start are medians of the express door', () => {
  const start = (mb: number) => ({
    idle: { rssBytes: mb * 1e6, anonBytes: 1 },
    loaded: { rssBytes: 100e6, anonBytes: 1 },
    perConnection: { rssBytes: 4_000, anonBytes: 1 },
  });
  const run = results({
    memory: [
      { peer: 'nginx', starts: [start(1)] },
      { peer: 'express', starts: [start(70), start(90), start(71)] },
    ],
    starts: [{ peer: 'express', ms: [200, 300, 240] }],
  });
  const idle: Goal = { kind: 'memory', state: 'idle', most: 75e6 };
  expect(inUnit(idle, figureOf(idle, run))).toBe(71);
  const connection: Goal = { kind: 'memory', state: 'perConnection', most: 10e3 };
  expect(inUnit(connection, figureOf(connection, run))).toBe(4);
  expect(figureOf({ kind: 'start', most: 250 }, run)).toBe(240);
});

test('what is above its limit is missed, by one per cent at least; what is not, is not', () => {
  const verdict = (value: number): string => verdictOf({ goal: SQL, measured: value });
  expect(verdict(1.25)).toBe('reached');
  expect(verdict(1.45)).toBe('reached; 16 % above the wish');
  expect(verdict(1.4501)).toBe('missed by 1 %');
  expect(verdict(2.9)).toBe('missed by 100 %');
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0.01, max: 1e9, noNaN: true }),
      (value, most) => {
        const said = verdictOf({ goal: { kind: 'start', most }, measured: value });
        expect(said === 'reached').toBe(value <= most);
      },
    ),
  );
});

test('the table has what the run has figures for, and counts the rest', () => {
  expect(goalTable(results({}))).toBeNull();
  const table = goalTable(results({ starts: [{ peer: 'express', ms: [300] }] }));
  expect(table).toContain('| start, express: ms to the first answer | 250 | 300 | missed by 20 % |');
  expect(table).toContain(`The run has no figures for ${GOALS.length - 1} other goals.`);
});
