import type { UpstreamNode } from '../node.ts';

const NOBODY: ReadonlySet<UpstreamNode> = new Set();

/**
 * Draws two Brokers at random and takes the one with fewer requests. The load is nearly as even as with the least
 * busy of all, without visiting all, and a Broker that has just returned is not flooded. A Broker in slow start
 * leaves the rest of its share to the other Broker drawn.
 *
 * Nodes in `exclude` are taken only if the pool has no other. Nodes with `limit` requests under way are never taken.
 * `random` returns 0 <= x < 1. Returns null if no Broker can be taken.
 */
export function pickBroker(
  pool: readonly UpstreamNode[],
  random: () => number,
  exclude: ReadonlySet<UpstreamNode> = NOBODY,
  limit = Number.POSITIVE_INFINITY,
): UpstreamNode | null {
  const size = pool.length;
  const first = Math.floor(random() * size);
  const one = pool[first];
  if (one === undefined) return null;
  const another = size === 1 ? one : (pool[(first + 1 + Math.floor(random() * (size - 1))) % size] ?? one);
  const oneCan = hasRoom(one, limit) && !exclude.has(one);
  const anotherCan = hasRoom(another, limit) && !exclude.has(another);
  if (oneCan && anotherCan) return one === another ? one : preferred(one, another, random);
  if (oneCan) return one;
  if (anotherCan) return another;
  // Both draws were ruled out. That happens only on a second attempt, or in a pool near its limit.
  return leastBusy(pool, exclude, limit) ?? leastBusy(pool, NOBODY, limit);
}

/** Whether a node has fewer requests under way than `limit`. */
export function hasRoom(node: UpstreamNode, limit: number): boolean {
  return node.outstanding < limit;
}

function preferred(one: UpstreamNode, another: UpstreamNode, random: () => number): UpstreamNode {
  const oneYields = one.share < 1 && random() >= one.share;
  const anotherYields = another.share < 1 && random() >= another.share;
  if (oneYields !== anotherYields) return oneYields ? another : one;
  return another.outstanding < one.outstanding ? another : one;
}

function leastBusy(
  pool: readonly UpstreamNode[],
  exclude: ReadonlySet<UpstreamNode>,
  limit: number,
): UpstreamNode | null {
  let best: UpstreamNode | null = null;
  for (const node of pool) {
    if (!hasRoom(node, limit) || exclude.has(node)) continue;
    if (best === null || node.outstanding < best.outstanding) best = node;
  }
  return best;
}
