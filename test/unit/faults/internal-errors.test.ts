import { expect, test } from 'vitest';
import { createInternalErrors } from '../../../src/faults/internal-errors.ts';
import type { ReportedError } from '../../kit/gateway/recorded-errors.ts';

/** All thrown in one place. */
const refuse = (id: number): Error => new Error(`bad id ${id}\n  of ${'x'.repeat(100_000)}`);

test('a stack is written out once a minute, whatever the error says, and every error is a line', () => {
  const lines: ReportedError[] = [];
  let now = 0;
  const errors = createInternalErrors(
    { error: (fields) => void lines.push(fields as ReportedError) },
    () => now,
  );
  for (let i = 0; i < 1_000; i++) errors.report('request', refuse(i), `id-${i}`);
  errors.report('request', new Error('bad id of another place'), 'other');
  now = 60_000;
  errors.report('request', refuse(1_000), 'later');
  expect([lines.length, errors.counts.request, errors.total]).toEqual([1_002, 1_002, 1_002]);
  expect(lines.filter(({ stack }) => stack !== undefined).map(({ id }) => id)).toEqual([
    'id-0',
    'other',
    'later',
  ]);
  expect(lines[7]?.error).toMatch(/^Error: bad id 7\n {2}of x{900}/);
  expect(JSON.stringify(lines).length).toBeLessThan(1_002 * 1_200 + 3 * 9_000);
});

test('what is thrown that is no error is told as it is, once a minute for each', () => {
  const lines: ReportedError[] = [];
  const errors = createInternalErrors({ error: (fields) => void lines.push(fields as ReportedError) });
  for (const thrown of ['text', 'text', null, undefined, 7]) errors.report('log', thrown);
  expect(lines.map(({ error }) => error)).toEqual(['text', 'text', 'null', 'undefined', '7']);
});
