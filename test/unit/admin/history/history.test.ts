import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { History } from '../../../../src/admin/history/history.ts';
import type { Term } from '../../../../src/admin/history/term.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { FakeCluster, leaderless, node, serving } from '../fakes.ts';

const A = node('10.0.0.1:8081');
const B = node('10.0.0.2:8081');

let folder: string;
let file: string;
let cluster: FakeCluster;
let warnings: { fields: Record<string, unknown>; message: string }[];
let now: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'druid-gateway-history-'));
  file = join(folder, 'history.json');
  cluster = new FakeCluster();
  warnings = [];
  now = 100_000;
});
afterEach(() => rmSync(folder, { recursive: true }));

function begin({
  clusterName = 'a cluster',
  ...change
}: {
  file?: string | null;
  clusterName?: string;
} = {}): History {
  const history = new History({
    cluster,
    file,
    clusterName: () => clusterName,
    logger: {
      warn: (fields: Record<string, unknown>, message: string) => void warnings.push({ fields, message }),
    } as never,
    errors: recordErrors(),
    now: () => now,
    ...change,
  });
  history.start();
  return history;
}

test('is kept over restarts: the same election goes on, another one ends it', async () => {
  const first = begin();
  cluster.lead(serving('coordinator', A, 1, 101_000));
  cluster.lead(serving('overlord', A, 4, 101_500));
  await first.close();
  now = 200_000;
  const second = begin();
  expect(second.body).toMatchObject({ since: new Date(100_000).toISOString() });
  expect(second.body.terms).toMatchObject([
    { role: 'coordinator', term: 1, to: null },
    { role: 'overlord', term: 4, to: null },
  ]);
  cluster.lead(serving('coordinator', B, 2, 201_000));
  expect(second.body.terms).toMatchObject([
    { role: 'coordinator', node: A.hostAndPort, to: expect.any(String) },
    { role: 'overlord' },
    { role: 'coordinator', node: B.hostAndPort, gapMs: 0, to: null },
  ]);
  await second.close();
  expect(warnings).toEqual([]);
  expect(readdirSync(folder)).toEqual(['history.json']);
});

test('a term that was open when the gateway ended, and whose election is over, ended at the last write', async () => {
  const first = begin();
  cluster.lead(serving('coordinator', A, 1, 101_000));
  now = 150_000;
  await first.close();
  cluster = new FakeCluster();
  now = 300_000;
  const second = begin();
  cluster.lead(serving('coordinator', B, 2, 301_000));
  expect(second.body.terms).toMatchObject([
    { node: A.hostAndPort, to: new Date(150_000).toISOString() },
    { node: B.hostAndPort, gapMs: null },
  ]);
  await second.close();
});

test.each([
  ['no JSON', '{"format": "druid-gateway his', 'it is no JSON'],
  ['something else', '{"format":"druid-gateway snapshot","version":1}', 'it is no history'],
  ['a later version', '{"format":"druid-gateway history","version":2}', 'its version is not 1'],
  ['no terms', '{"format":"druid-gateway history","version":1}', 'it is not whole'],
  [
    'a term of no role',
    JSON.stringify({
      format: 'druid-gateway history',
      version: 1,
      cluster: 'a cluster',
      since: new Date(0).toISOString(),
      writtenAt: new Date(0).toISOString(),
      terms: [{ role: 'broker' }],
    }),
    'it is not whole',
  ],
  ['null', 'null', 'it is no history'],
])('a file that is %s is told, set aside, and replaced by a new record', async (_, text, why) => {
  writeFileSync(file, text, { mode: 0o600 });
  const history = begin();
  expect(warnings).toEqual([
    {
      fields: { file, why, setAside: `${file}.unusable` },
      message: 'the history is not used; a new one begins',
    },
  ]);
  cluster.lead(serving('coordinator', A, 1, 101_000));
  await history.close();
  expect(readFileSync(`${file}.unusable`, 'utf8')).toBe(text);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ terms: [{ node: A.hostAndPort }] });
});

test('a link is not followed, neither for reading nor for writing', async () => {
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, file);
  const history = begin();
  expect(warnings).toMatchObject([{ fields: { why: 'it is a link' } }]);
  await history.close();
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ terms: [] });
});

test('the record of another cluster is not used', async () => {
  await begin().close();
  await begin({ clusterName: 'another' }).close();
  expect(warnings).toMatchObject([{ fields: { why: 'it is of another cluster' } }]);
});

test('a file that cannot be written is told once and costs nothing else', async () => {
  const history = begin({ file: join(folder, 'none', 'history.json') });
  cluster.lead(serving('coordinator', A, 1, 101_000));
  await history.close();
  expect(warnings).toEqual([
    {
      fields: { file: join(folder, 'none', 'history.json'), why: 'ENOENT' },
      message: 'the history cannot be written',
    },
  ]);
  expect(history.body.terms).toHaveLength(1);
  expect([history.written, history.writtenAt]).toEqual([false, 0]);
});

test('says for metrics what it keeps, what waited, and when it was written', async () => {
  const history = begin();
  expect([history.written, history.writtenAt]).toEqual([true, 0]);
  cluster.lead(serving('coordinator', A, 1, 101_000));
  cluster.lead(serving('coordinator', B, 2, 102_000));
  // A moment of doubt is no gap, and what waited in it counts all the same.
  history.count({ role: 'coordinator', leaderlessSince: 900_000, waited: 3, failed: 1 });
  history.count({ role: 'coordinator', leaderlessSince: 101_500, waited: 2, failed: 0 });
  expect([history.kept('coordinator'), history.kept('overlord')]).toEqual([2, 0]);
  expect(history.waits('coordinator')).toEqual({ waited: 5, failed: 1 });
  expect(history.waits('overlord')).toEqual({ waited: 0, failed: 0 });
  now = 103_000;
  await history.close();
  expect([history.written, history.writtenAt]).toEqual([true, 103_000]);
});

test('without a file it is kept in memory, and told to listeners', async () => {
  const history = begin({ file: null });
  const told: Term[] = [];
  const stop = history.onTerm((term) => void told.push({ ...term }));
  cluster.lead(serving('coordinator', A, 1, 101_000));
  cluster.lead({ ...leaderless('coordinator'), since: 102_000 });
  stop();
  cluster.lead(serving('coordinator', B, 2, 103_000));
  expect(told).toMatchObject([{ to: null }, { to: new Date(102_000).toISOString() }]);
  history.count({ role: 'coordinator', leaderlessSince: 102_000, waited: 3, failed: 1 });
  expect(history.body.terms.at(-1)).toMatchObject({ gapMs: 1_000, waited: 3, failed: 1 });
  await history.close();
  expect(existsSync(file)).toBe(false);
});
