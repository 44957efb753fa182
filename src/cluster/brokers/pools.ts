import type { UpstreamNode } from '../node.ts';

/** The facts that decide whether an announced Broker gets new queries. */
export interface Candidate {
  readonly node: UpstreamNode;
  readonly service: string;
  /** The Broker reports ready, and it has not failed a request since. */
  readonly ready: boolean;
  /** It is out of the pool for a time because its requests failed. */
  readonly ejected: boolean;
  /** An operator took it out of the pool. */
  readonly cordoned: boolean;
}

/**
 * The Brokers that get new queries, by service. Ejections never leave fewer than `1 - maxEjectedShare` of the ready
 * Brokers. If they would, the trouble is not limited to single Brokers, and all ready Brokers are used.
 */
export function composePools(
  candidates: Iterable<Candidate>,
  maxEjectedShare: number,
): ReadonlyMap<string, readonly UpstreamNode[]> {
  const services = new Map<string, { ready: UpstreamNode[]; behaving: UpstreamNode[] }>();
  for (const { node, service, ready, ejected, cordoned } of candidates) {
    if (!ready || cordoned) continue;
    let pool = services.get(service);
    if (pool === undefined) {
      pool = { ready: [], behaving: [] };
      services.set(service, pool);
    }
    pool.ready.push(node);
    if (!ejected) pool.behaving.push(node);
  }
  const pools = new Map<string, readonly UpstreamNode[]>();
  for (const [service, { ready, behaving }] of services) {
    pools.set(service, behaving.length < floorOf(ready.length, maxEjectedShare) ? ready : behaving);
  }
  return pools;
}

/** Fewest Brokers that ejections may leave in the pool, of `ready`; at least 1. */
export function floorOf(ready: number, maxEjectedShare: number): number {
  // Round first: in floating point 10 * (1 - 0.7) is slightly more than 3.
  return Math.max(1, Math.ceil(Math.round(ready * (1 - maxEjectedShare) * 1e6) / 1e6));
}
