import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { isReloadable } from '../../../src/config/reloadable.ts';
import type { Config } from '../../../src/config/schema.ts';
import { leaves, type Path, schemaAt } from '../../../src/config/schema-walk.ts';
import { ROLES } from '../../../src/discovery/discovery.ts';
import { createJdbcConnections } from '../../../src/exchange/druid/jdbc-connections.ts';
import { createRunningQueries } from '../../../src/exchange/druid/running-queries.ts';
import { createSuccession } from '../../../src/exchange/forward/succession.ts';
import type { PendingRequest } from '../../../src/exchange/limits/wait-queue.ts';
import { createGeneration, type GenerationServices } from '../../../src/gateway/create-generation.ts';
import { createSharedLimits } from '../../../src/gateway/shared-limits.ts';
import { FakeCluster } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

/** Every key, with an example where there is no default. */
const FULL = fileURLToPath(new URL('../../../config/full.yaml', import.meta.url));
/** Taken up by the gateway itself. */
const BY_GATEWAY = ['log.level'];
/** Compared as a whole, and made a source of (`source-in-use.ts`). */
const OF_SOURCES = ['discovery', 'zookeeper', 'kubernetes', 'consul', 'dns', 'static'];
/** Handed on as it is, to be read by each request. */
const HANDED_ON = ['upstream.byClass'];

const PENDING: Omit<PendingRequest, 'role'> = {
  flow: 'a client',
  bytes: 0,
  needsCapacity: true,
  canGo: () => false,
  deadline: () => Number.POSITIVE_INFINITY,
  go() {},
  expire() {},
  onInternalError(error) {
    throw error;
  },
};

const cluster = new FakeCluster();
const errors = recordErrors();
const now = (): number => performance.now();

function services(config: Config): GenerationServices {
  return {
    ...createSharedLimits(config, { cluster, errors, now }),
    cluster,
    upstreams: { send: () => ({ abort() {} }) as never },
    succession: createSuccession(cluster),
    pressure: { high: false, stop() {} },
    runningQueries: createRunningQueries(),
    jdbcConnections: createJdbcConnections(10),
    draining: () => false,
    encrypted: false,
    logger: pino({ level: 'silent' }),
    tracing: null,
    sink() {},
    errors,
    now,
    random: Math.random,
  };
}

/** The same value, whose sections tell which of their keys are read. */
function observed<T>(value: T, path: Path, read: (path: Path) => void): T {
  if (typeof value !== 'object' || value === null || schemaAt(path)?.properties === undefined) return value;
  return new Proxy({ ...value } as object, {
    get(target, key) {
      if (typeof key !== 'string') return Reflect.get(target, key);
      read([...path, key]);
      return observed(Reflect.get(target, key), [...path, key], read);
    },
  }) as T;
}

/** The keys that are read of a configuration that is taken up, lists as one key. */
async function keysRead(config: Config): Promise<string[]> {
  const seen = new Set<string>();
  const watched = observed(config, [], (path) => void seen.add(path.join('.')));
  const used = services(config);
  const { rules } = createGeneration(watched, used, null);
  await rules?.stop();
  const limits = createSharedLimits(config, { cluster, errors, now });
  limits.set(watched);
  // Bounds of roles are read as requests come.
  for (const role of ROLES) limits.waitQueue.park({ ...PENDING, role });
  limits.waitQueue.close();
  return [...seen].filter((key) => schemaAt(key.split('.'))?.properties === undefined);
}

test('a generation and the shared limits read every key that a reload takes up, and no other', async () => {
  const expected = leaves()
    .map(([path]) => path)
    .filter(isReloadable)
    .filter(([section]) => !OF_SOURCES.includes(String(section)))
    .map((path) => path.join('.'))
    .filter((key) => !BY_GATEWAY.includes(key) && !HANDED_ON.some((section) => key.startsWith(section)));
  // The example names files that are not there.
  const environment = {
    DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: 'p',
    DRUID_GATEWAY__BROKERS__LOAD_RULES__AUTH__PASSWORD_FILE: FULL,
    DRUID_GATEWAY__BROKERS__TIERS: '{ hot: druid/hot, _default_tier: druid/broker }',
  };
  const full = await keysRead(loadConfig({ file: FULL, environment }));
  const read = new Set([...full, ...(await keysRead(loadConfig({})))]);
  expect(expected.filter((key) => !read.has(key))).toEqual([]);
  expect([...read].filter((key) => !isReloadable(key.split('.')))).toEqual([]);
});

test('a hundred generations leave no listener on the cluster', () => {
  const config = loadConfig({});
  const used = services(config);
  const before = cluster.listenerCount('view');
  let generation = createGeneration(config, used, null);
  for (let i = 0; i < 100; i++) generation = createGeneration(config, used, generation);
  expect(cluster.listenerCount('view')).toBe(before);
});
