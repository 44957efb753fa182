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

/** Adds the path that Druid derives from another one (`ZkPathsConfig`), if that other path is given. */
export function derivePaths(tree: Tree): Tree {
  const { zookeeper } = tree;
  if (!isTree(zookeeper) || zookeeper.coordinatorPath !== undefined) return tree;
  const { basePath } = zookeeper;
  if (typeof basePath !== 'string') return tree;
  const base = basePath === '/' ? '' : basePath;
  return { ...tree, zookeeper: { ...zookeeper, coordinatorPath: `${base}/coordinator` } };
}
