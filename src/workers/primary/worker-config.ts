import type { Config } from '../../config/schema.ts';

/**
 * The configuration of one of `config.workers` workers. Each limit that applies to the whole gateway is divided by
 * the number of workers and rounded up. The worker listens on `port`. ZooKeeper credentials are left out: only the
 * primary needs them.
 */
export function workerConfig(config: Config, port: number): Config {
  const { workers, listen, limits, parking, queries, retries, upstream, zookeeper } = config;
  const part = (whole: number): number => Math.ceil(whole / workers);
  const { auth: _, ...withoutSecret } = zookeeper;
  const waits = (of: typeof parking.broker): typeof parking.broker =>
    of && {
      ...of,
      ...(of.maxRequests === undefined ? {} : { maxRequests: part(of.maxRequests) }),
      ...(of.maxBytes === undefined ? {} : { maxBytes: part(of.maxBytes) }),
    };
  const { coordinator, overlord, broker } = parking;
  return {
    ...config,
    listen: { ...listen, port },
    zookeeper: withoutSecret,
    upstream: { ...upstream, maxRequestsPerNode: part(upstream.maxRequestsPerNode) },
    parking: {
      ...parking,
      maxRequests: part(parking.maxRequests),
      maxBytes: part(parking.maxBytes),
      ...(coordinator === undefined ? {} : { coordinator: waits(coordinator) }),
      ...(overlord === undefined ? {} : { overlord: waits(overlord) }),
      ...(broker === undefined ? {} : { broker: waits(broker) }),
    } as Config['parking'],
    queries: { ...queries, maxCancels: part(queries.maxCancels) },
    retries: { ...retries, minPerSecond: part(retries.minPerSecond) },
    limits: {
      ...limits,
      maxConnections: part(limits.maxConnections),
      bodyMemory: part(limits.bodyMemory),
      concurrency: {
        ...limits.concurrency,
        total: part(limits.concurrency.total),
        coordinator: part(limits.concurrency.coordinator),
        overlord: part(limits.concurrency.overlord),
        broker: part(limits.concurrency.broker),
        perClient: part(limits.concurrency.perClient),
      },
      queue: { ...limits.queue, maxRequests: part(limits.queue.maxRequests) },
    },
  };
}
