import { byRound, type Figure } from './figures.ts';
import type { Memory, Results } from './results.ts';
import { median, ratioTo } from './stats.ts';

/** A figure of one peer under a workload, as a multiple of another one of the same round. */
interface RatioGoal {
  readonly kind: 'ratio';
  readonly figure: Figure;
  readonly workload: string;
  readonly peer: string;
  /** The peer it is compared to; `sql`: itself, under `sql`. */
  readonly to: 'nginx' | 'haproxy' | 'sql';
}

/** Of the express door: resident bytes of a state. */
interface MemoryGoal {
  readonly kind: 'memory';
  readonly state: 'idle' | 'loaded' | 'perConnection';
}

/** Of the express door: milliseconds to the first answer. */
interface StartGoal {
  readonly kind: 'start';
}

export type Goal = (RatioGoal | MemoryGoal | StartGoal) & {
  readonly most: number;
  /** What would be better still. */
  readonly wish?: number;
};

export interface Judged {
  readonly goal: Goal;
  /** In the unit of the goal's limit; NaN where the run has no such figure. */
  readonly measured: number;
}

const EXPRESS = 'express';
const MB = 1e6;
const KB = 1e3;

function each(
  workloads: readonly string[],
  goal: Omit<RatioGoal, 'kind' | 'workload' | 'peer'> & {
    readonly peer?: string;
    readonly most: number;
    readonly wish?: number;
  },
): Goal[] {
  return workloads.map((workload) => ({ kind: 'ratio', peer: EXPRESS, ...goal, workload }));
}

const SMALL = ['sql', 'sqlc', 'get1k'];
const RATES = ['rate3k', 'rate20k'];

/** What the gateway is to cost at most, by medians of rounds; memory in bytes, time in ms. */
export const GOALS: readonly Goal[] = [
  ...each(SMALL, { figure: 'cpuUsPerRequest', to: 'nginx', most: 1.45, wish: 1.25 }),
  ...each(SMALL, { figure: 'cpuUsPerRequest', peer: 'express-shared', to: 'nginx', most: 1.25 }),
  ...each(['redirect'], { figure: 'cpuUsPerRequest', to: 'nginx', most: 1.4 }),
  ...each(['upload'], { figure: 'cpuUsPerRequest', to: 'nginx', most: 1 }),
  ...each(['brokers1000'], { figure: 'cpuUsPerRequest', to: 'haproxy', most: 1 }),
  ...each(['sql'], { figure: 'cpuUsPerRequest', peer: 'front', to: 'nginx', most: 3 }),
  ...each(SMALL, { figure: 'p99Us', to: 'nginx', most: 2 }),
  ...each(RATES, { figure: 'p99Us', to: 'nginx', most: 1.3 }),
  ...each(RATES, { figure: 'p999Us', to: 'nginx', most: 1.3 }),
  ...each(['tls', 'handshakes'], { figure: 'cpuUsPerRequest', to: 'nginx', most: 1.5 }),
  ...each(['jdbc', 'jdbcproto', 'tiers'], { figure: 'cpuUsPerRequest', to: 'sql', most: 1.3 }),
  { kind: 'memory', state: 'idle', most: 75 * MB },
  { kind: 'memory', state: 'loaded', most: 110 * MB },
  { kind: 'memory', state: 'perConnection', most: 10 * KB },
  { kind: 'start', most: 250 },
];

/** Each goal with what a run has of it. */
export function judge(results: Results, goals: readonly Goal[] = GOALS): readonly Judged[] {
  return goals.map((goal) => ({ goal, measured: measured(goal, results) }));
}

function measured(goal: Goal, results: Results): number {
  switch (goal.kind) {
    case 'ratio':
      return ratio(goal, results);
    case 'memory':
      return bytes(
        results.memory.find(({ peer }) => peer === EXPRESS),
        goal.state,
      );
    case 'start':
      return median(results.starts.find(({ peer }) => peer === EXPRESS)?.ms ?? []);
  }
}

function ratio({ figure, workload, peer, to }: RatioGoal, { measurements }: Results): number {
  const rounds = (name: string, of: string): Map<number, number> =>
    byRound(
      measurements.filter((one) => one.peer === name && one.workload === of),
      figure,
    );
  return ratioTo(to === 'sql' ? rounds(peer, 'sql') : rounds(to, workload), rounds(peer, workload));
}

function bytes(memory: Memory | undefined, state: MemoryGoal['state']): number {
  return median((memory?.starts ?? []).map((start) => start[state].rssBytes));
}

/** `sql, express: CPU ÷ nginx's`. */
export function nameOf(goal: Goal): string {
  switch (goal.kind) {
    case 'ratio': {
      const { figure, workload, peer, to } = goal;
      return `${workload}, ${peer}: ${FIGURES[figure]} ÷ ${to === 'sql' ? 'its own under sql' : `${to}'s`}`;
    }
    case 'memory':
      return `memory, ${EXPRESS}: ${STATES[goal.state]}`;
    case 'start':
      return `start, ${EXPRESS}: ms to the first answer`;
  }
}

/** A value of a goal in the unit that its name says. */
export function inUnit(goal: Goal, value: number): number {
  if (goal.kind !== 'memory') return value;
  return value / (goal.state === 'perConnection' ? KB : MB);
}

/** `reached`, or by how much it is missed. */
export function verdictOf({ goal: { most, wish }, measured: value }: Judged): string {
  if (value > most) return `missed by ${percent(value, most)}`;
  return wish === undefined || value <= wish ? 'reached' : `reached; ${percent(value, wish)} above the wish`;
}

/** At least one, since what is missed is not missed by nothing. */
function percent(value: number, most: number): string {
  return `${Math.max(1, Math.round(100 * (value / most - 1)))} %`;
}

const FIGURES: Readonly<Record<Figure, string>> = {
  cpuUsPerRequest: 'CPU',
  requestsPerSecond: 'requests a second',
  p50Us: 'p50',
  p99Us: 'p99',
  p999Us: 'p99.9',
  rssBytes: 'memory',
};

const STATES: Readonly<Record<MemoryGoal['state'], string>> = {
  idle: 'MB, idle',
  loaded: 'MB under sql, 64 connections',
  perConnection: 'KB for an idle connection',
};
