import { byRound, type Figure } from './figures.ts';
import {
  druidTable,
  failOverTable,
  goalTable,
  memoryTable,
  rateTable,
  STRAIGHT,
  startTable,
} from './kind-tables.ts';
import { digits, latencies, matrix } from './markdown.ts';
import type { Measurement, Results } from './results.ts';
import { median, ratioTo, spread } from './stats.ts';

/** The whole outcome as Markdown, headings at the third level. */
export function render(results: Results): string {
  const { peers, workloads, rounds, seconds, minutes, date } = results;
  const parts: string[] = [];
  const section = (title: string, text: string | null): void => {
    if (text !== null) parts.push(`### ${title}`, text);
  };
  section('Goals', goalTable(results));
  if (workloads.length > 0) {
    for (const [title, text] of workloadTables(results)) section(title, text);
  }
  section(`Latency at a fixed rate, p50 / p99 / p99.9 in ms`, rateTable(results));
  if (results.memory.length > 0) section('Memory by state, MB', memoryTable(results));
  if (results.starts.length > 0) section('Start: ms from exec to the first answer', startTable(results));
  if (results.failOver.length > 0) {
    section('Fail-over: ms from the new latch to the first success', failOverTable(results));
  }
  if (results.druid.length > 0) {
    section('A real Druid: requests per second, p50 / p99 in ms', druidTable(results));
  }
  if (workloads.length > 0 || results.druid.length > 0) section('Errors', errorLines(results));
  if (workloads.length > 0) {
    section('What was measured', workloads.map(({ name, about }) => `* **${name}**: ${about}`).join('\n'));
  }
  section(
    'Who took part',
    [
      ...peers.map(({ name, version, about }) => `* **${name}** ${version}: ${about}`),
      ...results.leftOut.map(({ name, why }) => `* ${name} was left out: ${why}`),
    ].join('\n'),
  );
  const { cpu, cores, memoryGb, kernel, node, wrk, loadBefore } = results.machine;
  section(
    'Where and when',
    `${date.slice(0, 10)}, rounds of ${seconds} s: ${rounds}, ${Math.round(minutes)} minutes in all. ${cpu}, ${cores} cores, ` +
      `${digits(memoryGb)} GB, Linux ${kernel}; Node ${node}, wrk ${wrk}. Load average just before: ${loadBefore.toFixed(2)}. ` +
      `In single rounds CPU per request was up to ${Math.round(100 * widest(results))} % off its median.`,
  );
  return `${parts.join('\n\n')}\n`;
}

function* workloadTables({ peers, workloads, measurements }: Results): Iterable<readonly [string, string]> {
  const names = peers.map(({ name }) => name);
  const base = names[0] ?? '';
  const of = (peer: string, workload: string): Measurement[] =>
    measurements.filter((one) => one.peer === peer && one.workload === workload);
  const table = (cell: (peer: string, workload: string) => string, chosen = workloads): string =>
    matrix(
      names,
      chosen.map(({ name }) => name),
      cell,
    );
  const middle = (peer: string, workload: string, key: Figure): number =>
    median(of(peer, workload).map((one) => one[key] ?? Number.NaN));
  const cpu = (peer: string, workload: string): Map<number, number> =>
    byRound(of(peer, workload), 'cpuUsPerRequest');
  // At a fixed rate, requests per second say nothing, and latency is that of another kind of load.
  const closed = workloads.filter(({ rate }) => rate === undefined);
  const ours = workloads.filter(({ by }) => by === 'gateway');

  yield [
    `CPU per request, as a multiple of ${base}'s`,
    table((peer, workload) => digits(ratioTo(cpu(base, workload), cpu(peer, workload)))),
  ];
  if (ours.length > 0 && workloads.some(({ name }) => name === 'sql')) {
    yield [
      'CPU per request, as a multiple of its own under sql',
      table((peer, workload) => digits(ratioTo(cpu(peer, 'sql'), cpu(peer, workload))), ours),
    ];
  }
  yield ['CPU per request, µs', table((peer, workload) => digits(middle(peer, workload, 'cpuUsPerRequest')))];
  if (closed.length > 0) {
    yield [
      'Requests per second',
      table((peer, workload) => digits(middle(peer, workload, 'requestsPerSecond')), closed),
    ];
    yield [
      'Latency under that load, p50 / p99 in ms',
      table(
        (peer, workload) => latencies(middle(peer, workload, 'p50Us'), middle(peer, workload, 'p99Us')),
        closed,
      ),
    ];
  }
  yield ['Resident memory, MB', table((peer, workload) => digits(middle(peer, workload, 'rssBytes') / 1e6))];
}

function errorLines({ measurements, floor, druid }: Results): string {
  const counts = new Map<string, number>();
  const count = (where: string, errors: number): void => {
    if (errors > 0) counts.set(where, (counts.get(where) ?? 0) + errors);
  };
  for (const { peer, workload, errors } of measurements) count(`${peer} on ${workload}`, errors);
  for (const { workload, errors } of floor) count(`${STRAIGHT} on ${workload}`, errors);
  for (const { way, clients, errors } of druid)
    count(`${way} on a real Druid with ${clients} clients`, errors);
  if (counts.size === 0) return 'None: every request was answered with a good status.';
  return [...counts]
    .map(([where, count]) => `* ${where}: ${count} requests without a good answer; do not trust its figures`)
    .join('\n');
}

/** The largest deviation of a single round from its median, as a share. */
function widest({ peers, workloads, measurements }: Results): number {
  let most = 0;
  for (const { name: peer } of peers) {
    for (const { name: workload } of workloads) {
      const all = measurements.filter((one) => one.peer === peer && one.workload === workload);
      if (all.length > 0) most = Math.max(most, spread(all.map((one) => one.cpuUsPerRequest)));
    }
  }
  return most;
}
