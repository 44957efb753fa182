import { expect, test } from 'vitest';
import { compileBooks, type ListedTask } from '../../../demo/chaos/books.ts';
import type { Entry, Kind } from '../../../demo/chaos/ledger.ts';

const entry = (kind: Kind, key?: string): Entry => ({
  kind,
  sent: 0,
  ended: 1,
  outcome: 'ok',
  ...(key === undefined ? {} : { key }),
});

const NOTHING = { tasks: [], comments: [], rows: new Map<string, number>() };

test('a setting was made as often as the history has its comment', () => {
  const books = compileBooks(
    [entry('setting', 'a'), entry('setting', 'b'), entry('setting', 'c')],
    new Map(),
    {
      ...NOTHING,
      comments: ['a', 'b', 'x', 'b'],
    },
  );
  expect([...books.values()].map(({ times }) => times)).toEqual([1, 2, 0]);
});

test('a task was made as often as there are tasks of its group, whatever became of them', () => {
  const tasks: ListedTask[] = [
    { id: 'noop_1', groupId: 'a', statusCode: 'RUNNING' },
    // In the list of those that run and of those that have ended.
    { id: 'noop_1', groupId: 'a', statusCode: 'SUCCESS' },
    { id: 'noop_2', groupId: 'b', statusCode: 'SUCCESS' },
    { id: 'noop_3', groupId: 'b', status: 'FAILED' },
    { id: 'noop_4', groupId: 'd', statusCode: 'RUNNING' },
    { id: 'query-1' },
  ];
  const entries = ['a', 'b', 'c', 'd'].map((key) => entry('task', key));
  expect([...compileBooks(entries, new Map(), { ...NOTHING, tasks })]).toEqual([
    ['a', { times: 1, failed: false }],
    ['b', { times: 2, failed: true }],
    ['c', { times: 0, failed: false }],
    ['d', { times: 1, failed: true }],
  ]);
});

test('rows count as often as there are as many as were sent, and as failed by the task that was to load them', () => {
  const tasks: ListedTask[] = [
    { id: 'i1', groupId: 'i1', statusCode: 'SUCCESS' },
    { id: 'i2', groupId: 'i2', statusCode: 'FAILED' },
  ];
  const rows = new Map([
    ['a', 2],
    ['c', 4],
    ['d', 1],
  ]);
  const ids = new Map([
    ['a', 'i1'],
    ['b', 'i2'],
  ]);
  const entries = [entry('query'), ...['a', 'b', 'c', 'd', 'e'].map((key) => entry('rows', key))];
  expect([...compileBooks(entries, ids, { ...NOTHING, tasks, rows })]).toEqual([
    ['a', { times: 1, failed: false }],
    ['b', { times: 0, failed: true }],
    ['c', { times: 2, failed: false }],
    ['d', { times: 0.5, failed: false }],
    ['e', { times: 0, failed: false }],
  ]);
});
