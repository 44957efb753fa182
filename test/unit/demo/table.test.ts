import { expect, test } from 'vitest';
import type { Row } from '../../../demo/chaos/ledger.ts';
import { renderDetails, renderTable } from '../../../demo/chaos/table.ts';

const ROW: Row = {
  what: 'coordinator-1 (leads) killed',
  seconds: 20,
  gaps: { coordinatorRead: 5_640, setting: 5_712, overlordRead: 130, task: 1_000, query: 60 },
  slowest: 5_801,
  requests: 431,
  failed: 0,
  refused: 1,
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
    gaps: { coordinatorRead: 120, setting: 1_000, overlordRead: 110, task: 1_000, query: 12_000 },
    requests: 9_000,
    failed: 3,
    unknown: 0,
    unknownDone: 0,
    lost: 1,
    details: new Map(),
  };
  expect(renderTable([ROW, other])).toMatchInlineSnapshot(`
    "                              Coordinator  Coordinator  Overlord  Overlord  Brokers  slowest             reads   writes     writes of   tasks    wrong
    what was broken                     reads       writes     reads     tasks  queries  success  requests  failed  refused  unknown fate  failed  answers  lost  doubled
    ---------------------------------------------------------------------------------------------------------------------------------------------------------------------
    coordinator-1 (leads) killed          5.6          5.7       0.1       1.0      0.1      5.8       431       0        1    2 (1 done)       0        0     0        0
    broker-1 killed                       0.1          1.0       0.1       1.0     12.0      5.8      9000       3        1             0       0        0     1        0
    ---------------------------------------------------------------------------------------------------------------------------------------------------------------------
    all                                   5.6          5.7       0.1       1.0     12.0      5.8      9431       3        2    2 (1 done)       0        0     1        0
    "
  `);
  expect(renderDetails([ROW, other])).toBe(
    'coordinator-1 (leads) killed:\n  2 x setting unknown: 502 upstream_reset\n',
  );
});

test('what nobody looked at is a question mark, in the total, too', () => {
  const text = renderTable([{ ...ROW, unknownDone: null, tasksFailed: null, lost: null, doubled: null }]);
  expect(text.match(/2 \(\? done\) +\? +0 +\? +\?/g)).toHaveLength(2);
});

test('nothing broken is an empty table', () => {
  expect(renderTable([])).toContain('all ');
  expect(renderDetails([])).toBe('');
});
