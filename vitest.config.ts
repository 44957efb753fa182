import { defineConfig } from 'vitest/config';

/**
 * Projects from cheap to dear: `unit` needs nothing but Node, `zookeeper` starts real ZooKeeper servers, `faults`
 * also Druid-like processes and the built gateway, `druid` shares one real Druid cluster, `secured` one with
 * passwords. They run one after the other and the dear ones one file at a time: two cores do not carry more.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/zookeeper/**', 'test/faults/**', 'test/druid/**', 'test/secured/**'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'zookeeper',
          include: ['test/zookeeper/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
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
          sequence: { groupOrder: 3 },
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
