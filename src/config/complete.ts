import { childOf, isTree, ROOT, type SchemaNode, type Tree } from './schema-walk.ts';

/** Puts trees together, the first ones winning; lists are taken whole, and a key without a value does not count. */
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

/** Fills in defaults, in optional sections only where they are given. What does not fit the schema stays as it is. */
export function complete(value: unknown, node: SchemaNode = ROOT): unknown {
  if (node.type === 'array' && node.items !== undefined && Array.isArray(value)) {
    const { items } = node;
    return value.map((item) => complete(item, items));
  }
  if (node.type !== 'object' || !isTree(value)) return value;
  const completed: Record<string, unknown> = { ...value };
  for (const key of Object.keys(node.properties ?? {})) {
    const child = childOf(node, key);
    if (child === undefined) continue;
    const given = completed[key] ?? defaultOf(child, node.required?.includes(key) ?? false);
    if (given !== undefined) completed[key] = complete(given, child);
  }
  return completed;
}

function defaultOf(node: SchemaNode, required: boolean): unknown {
  if (node.default !== undefined) return node.default;
  return node.type === 'object' && required ? {} : undefined;
}

/** Of a section of the merged tree: a path that Druid derives from another one (`ZkPathsConfig`). */
export function derivePaths(tree: Tree): Tree {
  const { zookeeper } = tree;
  if (!isTree(zookeeper) || zookeeper.coordinatorPath !== undefined) return tree;
  const { basePath } = zookeeper;
  if (typeof basePath !== 'string') return tree;
  const base = basePath === '/' ? '' : basePath;
  return { ...tree, zookeeper: { ...zookeeper, coordinatorPath: `${base}/coordinator` } };
}
