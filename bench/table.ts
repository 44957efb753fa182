import type { Measurement, Results } from './results.ts';
import { median, ratioTo, spread } from './stats.ts';

/** One line of cells to a Markdown table each; the first is its head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** About three digits, as many as a measurement has that says anything. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '';
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** The whole outcome as Markdown, headings at the third level. */
export function render(results: Results): string {
  const { peers, workloads, measurements, rounds, seconds, minutes, date } = results;
  const base = peers[0]?.name ?? '';
  const of = (peer: string, workload: string): Measurement[] =>
    measurements.filter((one) => one.peer === peer && one.workload === workload);
  const matrix = (cell: (measured: readonly Measurement[], workload: string) => string): string =>
    markdownTable([
      ['', ...workloads.map(({ name }) => name)],
      ...peers.map(({ name: peer }) => [
        peer,
        ...workloads.map(({ name }) => {
          const measured = of(peer, name);
          return measured.length === 0 ? '' : cell(measured, name);
        }),
      ]),
    ]);
  const middle = (measured: readonly Measurement[], key: Figure): number =>
    median(measured.map((one) => one[key]));
  const ratio = (measured: readonly Measurement[], workload: string, key: Figure): string =>
    digits(ratioTo(byRound(of(base, workload), key), byRound(measured, key)));
  const parts: string[] = [];
  const section = (title: string, text: string): void => void parts.push(`### ${title}`, text);

  if (workloads.length > 0) {
    section(
      `CPU per request, as a multiple of ${base}'s`,
      matrix((measured, workload) => ratio(measured, workload, 'cpuUsPerRequest')),
    );
    section(
      'CPU per request, µs',
      matrix((measured) => digits(middle(measured, 'cpuUsPerRequest'))),
    );
    section(
      'Requests per second',
      matrix((measured) => digits(middle(measured, 'requestsPerSecond'))),
    );
    section(
      'Latency under that load, p50 / p99 in ms',
      matrix((measured) => `${ms(middle(measured, 'p50Us'))} / ${ms(middle(measured, 'p99Us'))}`),
    );
    section(
      'Resident memory, MB',
      matrix((measured) => digits(middle(measured, 'rssBytes') / 1e6)),
    );
  }
  if (results.failOver.length > 0) {
    section(
      'Fail-over: ms from the new latch to the first success',
      markdownTable([
        ['', 'median', 'least', 'most', 'elections'],
        ...results.failOver.map(({ target, ms: all }) => [
          target,
          digits(median(all)),
          digits(Math.min(...all)),
          digits(Math.max(...all)),
          String(all.length),
        ]),
      ]),
    );
  }
  if (workloads.length > 0) {
    section('Errors', errorLines(measurements));
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

type Figure = 'cpuUsPerRequest' | 'requestsPerSecond' | 'p50Us' | 'p99Us' | 'rssBytes';

function byRound(measured: readonly Measurement[], key: Figure): Map<number, number> {
  return new Map(measured.map((one) => [one.round, one[key]]));
}

function ms(us: number): string {
  return digits(us / 1_000);
}

function errorLines(measurements: readonly Measurement[]): string {
  const counts = new Map<string, number>();
  for (const { peer, workload, errors } of measurements) {
    if (errors > 0)
      counts.set(`${peer} on ${workload}`, (counts.get(`${peer} on ${workload}`) ?? 0) + errors);
  }
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
