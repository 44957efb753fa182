import { expect, test } from 'vitest';
import { replaceRun } from '../../../bench/publish.ts';
import type { Measurement, Results } from '../../../bench/results.ts';
import { digits, markdownTable, render } from '../../../bench/table.ts';

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
  failOver: [{ target: 'front', ms: [210, 190, 400] }],
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
});

test('the outcome has ratios within rounds, medians, who took part and who did not', () => {
  const markdown = render(RESULTS);
  expect(markdown).toContain('| nginx | 1.00 |  |');
  expect(markdown).toContain('| front | 4.50 |  |');
  expect(markdown).toContain('| front | 50.0 |  |');
  expect(markdown).toContain('| nginx | 0.70 / 1.90 |  |');
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

test('a run takes the place of the one before it and of nothing else', () => {
  const page = (run: string): string =>
    `# Title\n\n<!-- The last run; written by \`npm run bench -- --publish\`. -->\n\n${run}\n\n<!-- The end of the last run. -->\n\nMore.\n`;
  expect(replaceRun(page('old'), 'new\n')).toBe(page('new'));
  expect(() => replaceRun('# Title\n', 'new')).toThrow('docs/performance.md');
});
