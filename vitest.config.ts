import { defineConfig } from 'vitest/config';

/** These measure what a gateway carries, and have both cores to themselves. */
const UNDER_LOAD = ['noisy-client', 'retry-budget', 'slow-brokers', 'thousand-parked', 'upstream-reset'].map(
  (name) => `test/faults/${name}.test.ts`,
);

/**
 * Projects from cheap to dear, one after the other: `unit` needs nothing but Node, `zookeeper` starts real ZooKeeper
 * servers, `faults` and `load` also Druid-like processes and the built gateway, `druid` shares one real Druid
 * cluster, `secured` one with passwords.
 * What mostly waits runs two files at a time: two cores do not carry more.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/zookeeper/**', 'test/faults/**', 'test/druid/**', 'test/secured/**'],
          testTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'zookeeper',
          include: ['test/zookeeper/**/*.test.ts'],
          globalSetup: ['test/support/zookeeper-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: UNDER_LOAD,
          globalSetup: ['test/support/zookeeper-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'load',
          include: UNDER_LOAD,
          globalSetup: ['test/support/zookeeper-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'druid',
          include: ['test/druid/**/*.test.ts'],
          globalSetup: ['test/support/druid-setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
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
          sequence: { groupOrder: 6 },
        },
      },
    ],
  },
});
