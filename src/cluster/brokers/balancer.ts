import type { UpstreamNode } from '../node.ts';

const NOBODY: ReadonlySet<UpstreamNode> = new Set();

/**
 * The less busy of two Brokers drawn at random: nearly as even as the least busy of all, without looking at all,
 * and without sending everybody to the one that has just come back. One in slow start leaves the rest of its share
 * to the other one drawn.
 *
 * Nodes in `exclude` are taken only when no other is in the pool; those with `limit` requests under way never.
 * `random` gives 0 <= x < 1. Null when there is nobody to take.
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
  const oneCan = one.outstanding < limit && !exclude.has(one);
  const anotherCan = another.outstanding < limit && !exclude.has(another);
  if (oneCan && anotherCan) return one === another ? one : preferred(one, another, random);
  if (oneCan) return one;
  if (anotherCan) return another;
  // Both draws were ruled out, which only a second attempt or a pool near its limit can meet.
  return leastBusy(pool, exclude, limit) ?? leastBusy(pool, NOBODY, limit);
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
    if (node.outstanding >= limit || exclude.has(node)) continue;
    if (best === null || node.outstanding < best.outstanding) best = node;
  }
  return best;
}
