import { inUnit, type Judged, judge, nameOf, verdictOf } from './goals.ts';
import { digits, latencies, markdownTable, matrix } from './markdown.ts';
import type { MemoryOfStart, Results } from './results.ts';
import { median } from './stats.ts';

/** Each goal that the run has figures for; null when it has none. */
export function goalTable(results: Results): string | null {
  const judged = judge(results);
  const known = judged.filter(({ measured }) => Number.isFinite(measured));
  if (known.length === 0) return null;
  const line = (one: Judged): string[] => {
    const { goal, measured } = one;
    const wish = goal.wish === undefined ? '' : ` (wish ${digits(inUnit(goal, goal.wish))})`;
    return [
      nameOf(goal),
      `${digits(inUnit(goal, goal.most))}${wish}`,
      digits(inUnit(goal, measured)),
      verdictOf(one),
    ];
  };
  const table = markdownTable([['goal', 'at most', 'measured', ''], ...known.map(line)]);
  const others = judged.length - known.length;
  return others === 0 ? table : `${table}\n\nThe run has no figures for ${others} other goals.`;
}

export const STRAIGHT = 'straight to the responder';

/** Latency of the open loops; null without any. */
export function rateTable({ peers, workloads, measurements, floor }: Results): string | null {
  const open = workloads.filter(({ rate }) => rate !== undefined).map(({ name }) => name);
  if (open.length === 0) return null;
  return matrix([STRAIGHT, ...peers.map(({ name }) => name)], open, (row, workload) => {
    const all =
      row === STRAIGHT
        ? floor.filter((one) => one.workload === workload)
        : measurements.filter((one) => one.peer === row && one.workload === workload);
    const middle = (key: 'p50Us' | 'p99Us' | 'p999Us'): number =>
      median(all.map((one) => one[key] ?? Number.NaN));
    return latencies(middle('p50Us'), middle('p99Us'), middle('p999Us'));
  });
}

export function failOverTable({ failOver }: Results): string {
  return spreadTable(
    'elections',
    failOver.map(({ target, ms }) => [target, ms]),
  );
}

/** Median, least and most of times in milliseconds, and how many there are. */
function spreadTable(
  what: string,
  rows: readonly (readonly [name: string, ms: readonly number[]])[],
): string {
  return markdownTable([
    ['', 'median', 'least', 'most', what],
    ...rows.map(([name, ms]) => [
      name,
      digits(median(ms)),
      digits(Math.min(...ms)),
      digits(Math.max(...ms)),
      String(ms.length),
    ]),
  ]);
}

export function memoryTable({ memory }: Results): string {
  return markdownTable([
    [
      '',
      'idle',
      'of it not from files',
      'sql, 64 connections',
      'of it not from files',
      'KB each idle connection',
    ],
    ...memory.map(({ peer, starts }) => {
      const middle = (of: (one: MemoryOfStart) => number): number => median(starts.map(of));
      return [
        peer,
        digits(middle(({ idle }) => idle.rssBytes) / 1e6),
        digits(middle(({ idle }) => idle.anonBytes) / 1e6),
        digits(middle(({ loaded }) => loaded.rssBytes) / 1e6),
        digits(middle(({ loaded }) => loaded.anonBytes) / 1e6),
        digits(middle(({ perConnection }) => perConnection.rssBytes) / 1e3),
      ];
    }),
  ]);
}

export function startTable({ starts }: Results): string {
  return spreadTable(
    'starts',
    starts.map(({ peer, ms }) => [peer, ms]),
  );
}

/** Requests per second, p50 and p99 of each way to a real Druid. */
export function druidTable({ druid }: Results): string {
  const ways = [...new Set(druid.map(({ way }) => way))];
  const clients = [...new Set(druid.map((one) => one.clients))];
  return markdownTable([
    ['', ...clients.map((count) => (count === 1 ? '1 client' : `${count} clients`))],
    ...ways.map((way) => [
      way,
      ...clients.map((count) => {
        const all = druid.filter((one) => one.way === way && one.clients === count);
        const middle = (key: 'requestsPerSecond' | 'p50Us' | 'p99Us'): number =>
          median(all.map((one) => one[key]));
        if (all.length === 0) return '';
        return `${digits(middle('requestsPerSecond'))}/s, ${latencies(middle('p50Us'), middle('p99Us'))}`;
      }),
    ]),
  ]);
}
