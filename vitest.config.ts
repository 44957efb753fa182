import { defineConfig } from 'vitest/config';

const tests = (...folders: string[]): string[] => folders.map((folder) => `test/${folder}/**/*.test.ts`);

/**
 * What a request meets once its bytes are read is the same by both doors, so of the tests with processes those in
 * `by-door` and `load` run through the front door, too: connections of clients are held, cut, counted or frozen there.
 */
const FRONT = { DOOR: 'front' };

const unit = { testTimeout: 60_000, maxWorkers: 2 };
const zookeeper = { globalSetup: ['test/kit/zookeeper/zookeeper-setup.ts'], hookTimeout: 300_000 };
const faults = { ...zookeeper, testTimeout: 300_000 };
const druid = {
  globalSetup: ['test/kit/druid/druid-setup.ts'],
  testTimeout: 180_000,
  hookTimeout: 600_000,
  fileParallelism: false,
};

/**
 * One project for each folder that needs something else to be there, from cheap to dear and one after the other: `unit`
 * needs nothing but Node, `dashboard` Chromium, `deploy` promtool, helm, kubeconform, HAProxy and Envoy, `metadata` PostgreSQL and
 * MariaDB, `package` npm and its registry, `hostile` and `both-doors` also the built gateway, `zookeeper` real ZooKeeper
 * servers, `faults` and `load` also Druid-like processes and the built gateway, `druid` one real Druid cluster,
 * `druid-secured` one with passwords, `ha` one of which everything is there twice. What mostly waits runs two files at a
 * time: two cores do not carry more; `load` and `both-doors` measure, and have both cores for one. `DOOR` says which door
 * clients come through (the express door unless it says otherwise; `shared` is that with `doors.sharedReadBuffer`), and
 * `LISTENER=tls` that they come encrypted.
 */
const UNIT = [
  { name: 'unit', include: tests('unit'), ...unit },
  { name: 'unit-front', include: tests('unit/doors', 'unit/exchange'), env: FRONT, ...unit },
  { name: 'unit-tls', include: tests('unit/exchange/wire'), env: { LISTENER: 'tls' }, ...unit },
  {
    name: 'unit-shared',
    include: tests('unit/doors', 'unit/exchange/wire'),
    env: { DOOR: 'shared' },
    ...unit,
  },
];

const TOOLS = [
  {
    name: 'deploy',
    include: tests('deploy'),
    globalSetup: ['test/deploy/setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
  {
    name: 'metadata',
    include: tests('metadata'),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
  {
    name: 'package',
    include: tests('package'),
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
];

const OTHERS = [
  {
    name: 'dashboard',
    include: tests('dashboard'),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
  { name: 'hostile', include: tests('hostile'), testTimeout: 180_000, hookTimeout: 120_000, maxWorkers: 2 },
  { name: 'both-doors', include: tests('both-doors'), testTimeout: 300_000, fileParallelism: false },
  {
    name: 'zookeeper',
    include: tests('zookeeper'),
    ...zookeeper,
    testTimeout: 120_000,
    fileParallelism: false,
  },
  { name: 'faults', include: tests('faults'), ...faults, maxWorkers: 2 },
  { name: 'load', include: tests('load'), ...faults, fileParallelism: false },
  {
    name: 'faults-front',
    include: tests('faults/by-door', 'load'),
    env: FRONT,
    ...faults,
    fileParallelism: false,
  },
  { name: 'druid', include: tests('druid'), ...druid },
  { name: 'druid-front', include: tests('druid/by-door'), env: FRONT, ...druid },
  {
    name: 'druid-secured',
    include: tests('druid-secured'),
    globalSetup: ['test/kit/druid/secured-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
  { name: 'ha', include: tests('ha'), testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false },
];

/** Real servers that sources read from. They are built from source, so this is not part of `npm test`. */
const ENGINES = {
  name: 'engines',
  include: tests('engines'),
  globalSetup: ['test/engines/setup.ts'],
  testTimeout: 180_000,
  hookTimeout: 180_000,
  maxWorkers: 2,
};

/** Those of a list at once, the others one after the other. */
const inTurn = [UNIT, TOOLS, ...OTHERS.map((project) => [project]), [ENGINES]];

export default defineConfig({
  test: {
    projects: inTurn.flatMap((projects, i) =>
      projects.map((project) => ({ test: { ...project, sequence: { groupOrder: i + 1 } } })),
    ),
  },
});
