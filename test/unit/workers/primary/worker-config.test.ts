import { expect, test } from 'vitest';
import { loadConfig } from '../../../../src/config/load.ts';
import { workerConfig } from '../../../../src/workers/primary/worker-config.ts';

const config = loadConfig({
  environment: {
    DRUID_GATEWAY__WORKERS: '3',
    DRUID_GATEWAY__ZOOKEEPER__AUTH__USER: 'druid',
    DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: 'very-secret',
    DRUID_GATEWAY__PARKING__OVERLORD__MAX_REQUESTS: '10',
    DRUID_GATEWAY__PARKING__BROKER__MAX_WAIT: '2s',
    DRUID_GATEWAY__LIMITS__CONCURRENCY__PER_CLIENT: '1',
  },
});

test('a worker has its part of each limit, rounded up; no limit stays none, and no rest changes', () => {
  const worker = workerConfig(config, 4711);
  expect(worker.listen).toEqual({ ...config.listen, port: 4711 });
  expect(worker.limits.concurrency).toEqual({
    total: 667,
    coordinator: 167,
    overlord: 167,
    broker: 500,
    perClient: 1,
    largeShare: 0.75,
  });
  expect(worker.limits.maxConnections).toBe(3_334);
  expect(worker.limits.queue).toEqual({ maxRequests: 334, maxWait: 10_000 });
  expect(worker.upstream.maxRequestsPerNode).toBe(86);
  expect(worker.parking).toEqual({
    maxWait: 40_000,
    maxWaitStale: 3_000,
    maxRequests: 334,
    maxBytes: Math.ceil((64 * 1024 * 1024) / 3),
    overlord: { maxRequests: 4 },
    broker: { maxWait: 2_000 },
  });
  expect(worker.retries).toEqual({ share: 0.2, minPerSecond: 4 });
  expect(worker.queries).toEqual({ ...config.queries, maxCancels: 22 });
  expect(worker.shutdown).toEqual(config.shutdown);
});

test('a worker is not told the password of ZooKeeper', () => {
  expect(config.zookeeper.auth?.password).toBe('very-secret');
  expect(JSON.stringify(workerConfig(config, 1))).not.toContain('very-secret');
});

test('auto is as many as there are cores', () => {
  const auto = loadConfig({ environment: { DRUID_GATEWAY__WORKERS: 'auto' } });
  expect(auto.workers).toBeGreaterThanOrEqual(1);
  expect(() => loadConfig({ environment: { DRUID_GATEWAY__WORKERS: 'many' } })).toThrow(
    'workers: expected a whole number from 1 to 256, or auto',
  );
});
