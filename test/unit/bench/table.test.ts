import { expect, test } from 'vitest';
import { digits, latencies, markdownTable, matrix } from '../../../bench/markdown.ts';
import { replaceRun } from '../../../bench/publish.ts';
import type { Measurement, Results } from '../../../bench/results.ts';
import { render } from '../../../bench/table.ts';

const measured = (round: number, peer: string, cpuUsPerRequest: number, errors = 0): Measurement => ({
  round,
  peer,
  workload: 'sql',
  cpuUsPerRequest,
  requestsPerSecond: 80_000,
  p50Us: 700,
  p99Us: 1_900,
  rssBytes: 13e6,
  errors,
});

const RESULTS: Results = {
  date: '2026-11-24T12:00:00.000Z',
  rounds: 3,
  seconds: 6,
  minutes: 31.4,
  machine: {
    cpu: 'A CPU',
    cores: 2,
    memoryGb: 24,
    kernel: '6.1.0',
    node: '24.21.0',
    wrk: '4.1.0',
    loadBefore: 0.1,
  },
  peers: [
    { name: 'nginx', version: '1.22.1', about: 'one worker' },
    { name: 'front', version: '0.1.0', about: 'this gateway' },
  ],
  leftOut: [{ name: 'express', why: 'there is no such key' }],
  workloads: [
    { name: 'sql', about: 'small queries' },
    { name: 'big', about: 'large answers' },
  ],
  measurements: [
    measured(1, 'nginx', 10),
    measured(1, 'front', 50),
    measured(2, 'nginx', 20),
    measured(2, 'front', 80),
    measured(3, 'nginx', 10),
    measured(3, 'front', 45),
  ],
  floor: [],
  failOver: [{ target: 'front', ms: [210, 190, 400] }],
  memory: [],
  starts: [],
  druid: [],
};

test('a table has a rule under its head and a line for each row', () => {
  expect(
    markdownTable([
      ['', 'a'],
      ['b', '1'],
    ]),
  ).toBe('|  | a |\n|---|--:|\n| b | 1 |');
});

test('figures have about three digits', () => {
  expect([1.234, 12.34, 123.4, 84_000].map(digits)).toEqual(['1.23', '12.3', '123', '84,000']);
  expect(digits(Number.NaN)).toBe('');
  expect(latencies(310, 1_900)).toBe('0.31 / 1.90');
  expect(latencies(310, Number.NaN)).toBe('');
});

test('rows and columns without anything in them are left out of a table', () => {
  const cell = (row: string, column: string): string => (row === 'b' || column === 'y' ? '' : row + column);
  expect(matrix(['a', 'b', 'c'], ['x', 'y', 'z'], cell)).toBe(
    markdownTable([
      ['', 'x', 'z'],
      ['a', 'ax', 'az'],
      ['c', 'cx', 'cz'],
    ]),
  );
});

test('the outcome has ratios within rounds, medians, who took part and who did not', () => {
  const markdown = render(RESULTS);
  expect(markdown).toContain('| nginx | 1.00 |');
  expect(markdown).toContain('| front | 4.50 |');
  expect(markdown).toContain('| front | 50.0 |');
  expect(markdown).toContain('| nginx | 0.70 / 1.90 |');
  expect(markdown).not.toContain('fixed rate');
  expect(markdown).not.toContain('real Druid');
  expect(markdown).not.toContain('its own under sql');
  expect(markdown).toContain('| front | 210 | 190 | 400 | 3 |');
  expect(markdown).toContain('* **front** 0.1.0: this gateway');
  expect(markdown).toContain('express was left out: there is no such key');
  expect(markdown).toContain('A CPU, 2 cores');
  expect(markdown).toContain('None: every request was answered');
  expect(markdown).toContain('In single rounds CPU per request was up to 100 % off');
});

test('requests without a good answer are said, not hidden in a median', () => {
  const markdown = render({
    ...RESULTS,
    measurements: [measured(1, 'nginx', 10, 3), measured(2, 'nginx', 9, 4)],
  });
  expect(markdown).toContain('nginx on sql: 7 requests without a good answer');
});

test('what this gateway alone is measured under is a multiple of its own sql, and not of the base', () => {
  const markdown = render({
    ...RESULTS,
    workloads: [...RESULTS.workloads, { name: 'tiers', about: 'tiers', by: 'gateway' }],
    measurements: [
      ...RESULTS.measurements,
      { ...measured(1, 'front', 55), workload: 'tiers' },
      { ...measured(2, 'front', 120), workload: 'tiers' },
    ],
  });
  const [first = '', own = ''] = markdown.split('### CPU per request, as a multiple of ').slice(1);
  expect(first).toContain("nginx's\n\n|  | sql |\n");
  expect(own).toContain('its own under sql\n\n|  | tiers |\n|---|--:|\n| front | 1.30 |\n');
});

test('an open loop has a table of its own, with what it sees of the responder alone', () => {
  const open = (round: number, peer: string, p999Us: number): Measurement => ({
    ...measured(round, peer, 70),
    workload: 'rate3k',
    p999Us,
  });
  const markdown = render({
    ...RESULTS,
    workloads: [...RESULTS.workloads, { name: 'rate3k', about: 'open', rate: 3_000 }],
    measurements: [...RESULTS.measurements, open(1, 'front', 4_000), open(2, 'front', 6_000)],
    floor: [{ round: 1, workload: 'rate3k', p50Us: 100, p99Us: 200, p999Us: 1_700, errors: 2 }],
  });
  expect(markdown).toContain('### Latency at a fixed rate, p50 / p99 / p99.9 in ms');
  expect(markdown).toContain('| straight to the responder | 0.10 / 0.20 / 1.70 |');
  expect(markdown).toContain('| front | 0.70 / 1.90 / 5.00 |');
  expect(markdown).toContain('straight to the responder on rate3k: 2 requests without a good answer');
  expect(markdown).toContain('### Requests per second\n\n|  | sql |\n');
});

test('memory, starts and a real Druid are medians over starts and rounds', () => {
  const start = (mb: number) => ({
    idle: { rssBytes: mb * 1e6, anonBytes: 20e6 },
    loaded: { rssBytes: 2 * mb * 1e6, anonBytes: 30e6 },
    perConnection: { rssBytes: 3_100, anonBytes: 3_000 },
  });
  const asked = (round: number, way: string, clients: number, requestsPerSecond: number, errors = 0) => ({
    round,
    way,
    clients,
    requestsPerSecond,
    p50Us: 2_000,
    p99Us: 9_000,
    errors,
  });
  const markdown = render({
    ...RESULTS,
    memory: [{ peer: 'front', starts: [start(70), start(90), start(72)] }],
    starts: [{ peer: 'front', ms: [240, 260, 250] }],
    druid: [
      asked(1, 'direct', 1, 400),
      asked(1, 'direct', 64, 900),
      asked(1, 'front', 1, 380),
      asked(2, 'front', 1, 340, 5),
    ],
  });
  expect(markdown).toContain('| front | 72.0 | 20.0 | 144 | 30.0 | 3.10 |');
  expect(markdown).toContain('| front | 250 | 240 | 260 | 3 |');
  expect(markdown).toContain('|  | 1 client | 64 clients |');
  expect(markdown).toContain('| direct | 400/s, 2.00 / 9.00 | 900/s, 2.00 / 9.00 |');
  expect(markdown).toContain('| front | 360/s, 2.00 / 9.00 |  |');
  expect(markdown).toContain('front on a real Druid with 1 clients: 5 requests');
});

test('a run takes the place of the one before it and of nothing else', () => {
  const page = (run: string): string =>
    `# Title\n\n<!-- The last run; written by \`npm run bench -- --publish\`. -->\n\n${run}\n\n<!-- The end of the last run. -->\n\nMore.\n`;
  expect(replaceRun(page('old'), 'new\n')).toBe(page('new'));
  expect(() => replaceRun('# Title\n', 'new')).toThrow('docs/performance.md');
});
