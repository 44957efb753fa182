import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { changedKeys } from '../../../src/config/diff.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { valueAt } from '../../../src/config/schema-walk.ts';
import { randomTrees } from '../../kit/config/random-trees.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-diff-'));
afterAll(() => rmSync(folder, { recursive: true }));

const configs = randomTrees as unknown as fc.Arbitrary<Config>;

function config(yaml: string): Config {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file });
}

test('each changed key is told with both values, a list as one key, an absent value as null', () => {
  const before = config('parking: { maxWait: 5s }');
  const after = config('{ routes: { allow: [/a, /b] }, parking: { broker: { maxWait: 1s } } }');
  expect(changedKeys(before, after).map(({ key, from, to }) => [key, from, to])).toEqual([
    ['parking.maxWait', 5_000, 40_000],
    ['parking.broker.maxWait', null, 1_000],
    ['routes.allow', [], ['/a', '/b']],
  ]);
});

test('a changed secret is told, and neither of its values', () => {
  const auth = (password: string): string => `zookeeper: { auth: { user: u, password: ${password} } }`;
  const header = (value: string): string =>
    `brokers: { rules: [{ match: { header: 'X-Team: ${value}' }, service: druid/broker }] }`;
  const changed = [
    ...changedKeys(config(auth('secret-one')), config(auth('secret-two'))),
    ...changedKeys(config(header('secret-one')), config(header('secret-two'))),
  ];
  expect(changed.map(({ key }) => key)).toEqual(['zookeeper.auth.password', 'brokers.rules']);
  expect(JSON.stringify(changed)).not.toContain('secret-');
});

test('nothing has changed where both are the same, and the other way round the same keys have', () => {
  fc.assert(
    fc.property(configs, configs, (one, other) => {
      expect(changedKeys(one, structuredClone(one))).toEqual([]);
      const there = changedKeys(one, other);
      const back = changedKeys(other, one).map(({ path, key, from, to }) => ({
        path,
        key,
        from: to,
        to: from,
      }));
      expect(back).toEqual(there);
      for (const { path } of there) expect(valueAt(one, path)).not.toEqual(valueAt(other, path));
    }),
    { numRuns: 100 },
  );
});
