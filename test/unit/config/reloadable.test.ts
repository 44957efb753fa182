import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changedKeys } from '../../../src/config/diff.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { isReloadable, TAKEN_UP, takeUp } from '../../../src/config/reloadable.ts';
import type { Config } from '../../../src/config/schema.ts';
import { leaves, schemaAt } from '../../../src/config/schema-walk.ts';
import { randomTrees } from '../../kit/config/random-trees.ts';

const configs = randomTrees as unknown as fc.Arbitrary<Config>;

test('of every key of the schema it is known whether a reload takes it up', () => {
  expect(leaves().length).toBeGreaterThan(100);
  for (const [path] of leaves()) expect(typeof isReloadable(path)).toBe('boolean');
});

test('nothing is told apart that is not in the schema', () => {
  for (const key of Object.keys(TAKEN_UP)) expect([key, schemaAt(key.split('.'))]).not.toContain(undefined);
});

test('what made sockets, connections, timers and processes needs a restart', () => {
  const paths = [
    'workers',
    'listen.port',
    'listen.tls.certFile',
    'admin.tokenFile',
    'upstream.connectTimeout',
    'upstream.tls.caFile',
    'limits.maxConnections',
    'limits.headersTimeout',
    'health.slowStart',
  ];
  for (const key of paths) expect([key, isReloadable(key.split('.'))]).toEqual([key, false]);
});

test('a key that nobody has classified is an error, not a guess', () => {
  expect(() => isReloadable(['nobody', 'knows'])).toThrow('nobody.knows is missing');
});

test('what is taken up is of the new configuration, all else of the former one', () => {
  fc.assert(
    fc.property(configs, configs, (current, next) => {
      const taken = takeUp(current, next);
      const changed = changedKeys(current, taken).map(({ path }) => path);
      expect(changed.every(isReloadable)).toBe(true);
      const left = changedKeys(taken, next).map(({ path }) => path);
      expect(left.some(isReloadable)).toBe(false);
      const all = changedKeys(current, next).map(({ key }) => key);
      expect([...changed, ...left].map((path) => path.join('.')).toSorted()).toEqual(all.toSorted());
    }),
    { numRuns: 100 },
  );
});

test('taking up what is there already changes nothing', () => {
  const config = loadConfig({});
  expect(takeUp(config, config)).toEqual(config);
  fc.assert(
    fc.property(configs, (any) => {
      expect(takeUp(any, any)).toEqual(any);
    }),
    { numRuns: 50 },
  );
});
