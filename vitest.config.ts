import { defineConfig } from 'vitest/config';

const faults = (...names: string[]): string[] => names.map((name) => `test/faults/${name}.test.ts`);

/** These measure what a gateway carries, and have both cores to themselves. */
const UNDER_LOAD = faults(
  'noisy-client',
  'retry-budget',
  'slow-brokers',
  'thousand-parked',
  'upstream-reset',
);
/** So does this, which looks at the memory of the built program, by either door. */
const MEMORY = 'test/doors/memory.test.ts';
const BOTH_DOORS = [MEMORY, 'test/doors/differential.test.ts'];

/**
 * What a request meets once its bytes are read is the same by both doors (`exchange`), so of the tests with processes
 * those run through the front door, too, in which connections of clients are held, cut, counted or frozen. ZooKeeper's
 * faults and elections, real Druid's leader swaps, and JDBC placement do not depend on a door; nor does the contract
 * of Druid and its stand-in, which asks no gateway, nor the console, whose pages always go through the front door.
 */
const FRONT_FAULTS = faults('leader-redirects-to-itself', 'both-latches-one-process', 'session-expires');
const FRONT_DRUID = ['test/druid/cluster.test.ts'];

const FRONT = { DOOR: 'front' };

const unit = { testTimeout: 60_000, maxWorkers: 2 };
const zookeeper = { globalSetup: ['test/support/zookeeper-setup.ts'], hookTimeout: 300_000 };
const druid = {
  globalSetup: ['test/support/druid-setup.ts'],
  testTimeout: 180_000,
  hookTimeout: 600_000,
  fileParallelism: false,
};

/**
 * Projects from cheap to dear, one after the other: `unit` needs nothing but Node, `hostile` also the built gateway,
 * `zookeeper` starts real ZooKeeper servers, `faults` and `load` also Druid-like processes and the built gateway,
 * `druid` shares one real Druid cluster, `secured` one with passwords. What mostly waits runs two files at a time: two
 * cores do not carry more. `DOOR` says which door clients come through (the express door unless it says otherwise;
 * `shared` is that with `doors.sharedReadBuffer`), and `LISTENER=tls` that they come encrypted.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/zookeeper/**',
            'test/faults/**',
            'test/druid/**',
            'test/secured/**',
            'test/hostile/**',
            MEMORY,
          ],
          ...unit,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'unit-front',
          include: ['test/doors/**/*.test.ts', 'test/exchange/**/*.test.ts'],
          exclude: BOTH_DOORS,
          env: FRONT,
          ...unit,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'unit-tls',
          include: ['relay', 'hostile-answers', 'slow-readers'].map(
            (name) => `test/exchange/${name}.test.ts`,
          ),
          env: { LISTENER: 'tls' },
          ...unit,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'unit-shared',
          include: ['test/doors/**/*.test.ts', 'test/exchange/relay.test.ts'],
          exclude: BOTH_DOORS,
          env: { DOOR: 'shared' },
          ...unit,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'zookeeper',
          include: ['test/zookeeper/**/*.test.ts'],
          ...zookeeper,
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: UNDER_LOAD,
          ...zookeeper,
          testTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 6 },
        },
      },
      {
        test: {
          name: 'load',
          include: [...UNDER_LOAD, MEMORY],
          ...zookeeper,
          testTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 7 },
        },
      },
      {
        test: {
          name: 'faults-front',
          include: [...FRONT_FAULTS, ...UNDER_LOAD],
          env: FRONT,
          ...zookeeper,
          testTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 8 },
        },
      },
      {
        test: { name: 'druid', include: ['test/druid/**/*.test.ts'], ...druid, sequence: { groupOrder: 9 } },
      },
      {
        test: {
          name: 'druid-front',
          include: FRONT_DRUID,
          env: FRONT,
          ...druid,
          sequence: { groupOrder: 10 },
        },
      },
      {
        test: {
          name: 'secured',
          include: ['test/secured/**/*.test.ts'],
          globalSetup: ['test/support/secured-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 11 },
        },
      },
    ],
  },
});
