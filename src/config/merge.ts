import { isTree, type Tree } from './schema-walk.ts';

/** Merges trees; earlier trees win. Lists are not merged, and a key without a value counts as absent. */
export function merge(trees: readonly unknown[]): unknown {
  const given = trees.filter((tree) => tree !== undefined && tree !== null);
  const [first] = given;
  if (!isTree(first)) return first;
  const end = given.findIndex((tree) => !isTree(tree));
  const sections = (end === -1 ? given : given.slice(0, end)).filter(isTree);
  const keys = new Set(sections.flatMap((tree) => Object.keys(tree)));
  const merged: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const key of keys) {
    const value = merge(sections.map((tree) => (Object.hasOwn(tree, key) ? tree[key] : undefined)));
    if (value !== undefined) merged[key] = value;
  }
  return merged;
}

/**
 * What `parking.maxWait` is by default where elections take longer than with ZooKeeper. In Kubernetes a candidate waits for
 * the whole lease (60 s) from the last change that it saw, and looks every 5 to 11 s, also when a leader ends in good order. Consul keeps the session of a
 * leader that has died for twice its time (45 s), then the key is locked for 5 s, and candidates look every 10 s.
 */
const MAX_WAITS: Readonly<Record<string, number>> = { kubernetes: 90_000, consul: 110_000 };

/** Adds how long requests wait by default for a leader of this source, if that is not given. */
export function deriveWaits(tree: Tree): Tree {
  const { discovery, parking = {} } = tree;
  const type = isTree(discovery) ? discovery.type : undefined;
  const maxWait = typeof type === 'string' && Object.hasOwn(MAX_WAITS, type) ? MAX_WAITS[type] : undefined;
  if (maxWait === undefined || !isTree(parking) || parking.maxWait !== undefined) return tree;
  return { ...tree, parking: { ...parking, maxWait } };
}

/** Adds the path that Druid derives from another one (`ZkPathsConfig`), if that other path is given. */
export function derivePaths(tree: Tree): Tree {
  const { zookeeper } = tree;
  if (!isTree(zookeeper) || zookeeper.coordinatorPath !== undefined) return tree;
  const { basePath } = zookeeper;
  if (typeof basePath !== 'string') return tree;
  const base = basePath === '/' ? '' : basePath;
  return { ...tree, zookeeper: { ...zookeeper, coordinatorPath: `${base}/coordinator` } };
}
