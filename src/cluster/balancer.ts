import type { UpstreamNode } from './node.ts';

const NOBODY: ReadonlySet<UpstreamNode> = new Set();

/**
 * The less busy of two Brokers drawn at random: nearly as even as the least busy of all, without looking at all,
 * and without sending everybody to the one that has just come back.
 *
 * Nodes in `exclude` are taken only when no other is in the pool. `random` gives 0 <= x < 1. Null for an empty pool.
 */
export function pickBroker(
  pool: readonly UpstreamNode[],
  random: () => number,
  exclude: ReadonlySet<UpstreamNode> = NOBODY,
): UpstreamNode | null {
  const size = pool.length;
  if (size === 0) return null;
  const first = Math.floor(random() * size);
  const one = pool[first] ?? null;
  if (size === 1 || one === null) return one;
  const another = pool[(first + 1 + Math.floor(random() * (size - 1))) % size] ?? one;
  if (exclude.size === 0) return lessBusy(one, another);
  const oneIn = !exclude.has(one);
  const anotherIn = !exclude.has(another);
  if (oneIn && anotherIn) return lessBusy(one, another);
  if (oneIn) return one;
  if (anotherIn) return another;
  // Both draws were ruled out, which only a request on its second attempt can meet.
  return pool.find((node) => !exclude.has(node)) ?? lessBusy(one, another);
}

function lessBusy(one: UpstreamNode, another: UpstreamNode): UpstreamNode {
  return another.outstanding < one.outstanding ? another : one;
}
