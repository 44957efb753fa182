import type { UpstreamNode } from '../node.ts';

/** Of an announced Broker, what decides whether it gets new queries. */
export interface Candidate {
  readonly node: UpstreamNode;
  readonly service: string;
  /** It says that it is ready, and did not just fail a request. */
  readonly ready: boolean;
  /** It is left out for a time because its requests failed. */
  readonly ejected: boolean;
  /** An operator has taken it out. */
  readonly cordoned: boolean;
}

/**
 * Who gets new queries, by service. Ejections never leave fewer than `1 - maxEjectedShare` of the ready Brokers:
 * where they would, the trouble is not one Broker's, and all ready ones are tried.
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

/** The least number of Brokers, of so many ready ones, that ejections leave in the pool. */
export function floorOf(ready: number, maxEjectedShare: number): number {
  // Rounded before, so that 10 * (1 - 0.9) is 1 and not a little more.
  return Math.max(1, Math.ceil(Math.round(ready * (1 - maxEjectedShare) * 1e6) / 1e6));
}
