import { expect, test } from 'vitest';
import type { Row } from '../../../demo/chaos/ledger.ts';
import { renderDetails, renderTable } from '../../../demo/chaos/table.ts';

const ROW: Row = {
  what: 'coordinator-1 (leads) killed',
  seconds: 20,
  gaps: { coordinator: 5_640, overlord: 130, queries: 60, writes: 5_712 },
  requests: 431,
  failed: 0,
  unknown: 2,
  unknownDone: 1,
  tasksFailed: 0,
  wrong: 0,
  lost: 0,
  doubled: 0,
  details: new Map([['setting unknown: 502 upstream_reset', 2]]),
};

test('a table has a row for each window, aligned, and a total', () => {
  const other: Row = {
    ...ROW,
    what: 'broker-1 killed',
    gaps: { coordinator: 120, overlord: 110, queries: 12_000, writes: 1_000 },
    requests: 9_000,
    failed: 3,
    unknown: 0,
    unknownDone: 0,
    lost: 1,
    details: new Map(),
  };
  expect(renderTable([ROW, other])).toMatchInlineSnapshot(`
    "                              longest gap between successes, s
    what was broken               Coordinator  Overlord  queries  writes  requests  failed  unknown fate  tasks failed  wrong  lost  doubled
    ----------------------------------------------------------------------------------------------------------------------------------------
    coordinator-1 (leads) killed          5.6       0.1      0.1     5.7       431       0    2 (1 done)             0      0     0        0
    broker-1 killed                       0.1       0.1     12.0     1.0      9000       3             0             0      0     1        0
    ----------------------------------------------------------------------------------------------------------------------------------------
    all                                   5.6       0.1     12.0     5.7      9431       3    2 (1 done)             0      0     1        0
    "
  `);
  expect(renderDetails([ROW, other])).toBe(
    'coordinator-1 (leads) killed:\n  2 x setting unknown: 502 upstream_reset\n',
  );
});

test('what nobody looked at is a question mark, in the total, too', () => {
  const text = renderTable([{ ...ROW, unknownDone: null, tasksFailed: null, lost: null, doubled: null }]);
  expect(text.match(/2 \(\? done\) {13}\? {6}0 {5}\? {8}\?/g)).toHaveLength(2);
});

test('nothing broken is an empty table', () => {
  expect(renderTable([])).toContain('all ');
  expect(renderDetails([])).toBe('');
});
