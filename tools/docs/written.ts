import { childOf, isTree, type SchemaNode } from '../../src/config/schema-walk.ts';
import { formatDuration, formatSize } from '../../src/config/units.ts';

/** A value of the schema as people write it: 30000 is `30s`, `{ type: priority }` is `priority`. */
export function written(value: unknown, node: SchemaNode): unknown {
  const { items, shorthand } = node;
  if (shorthand === 'tiers' && Array.isArray(value) && value.length === 0) return {};
  if (Array.isArray(value)) return value.map((item) => (items === undefined ? item : written(item, items)));
  // 0 means something of its own, which has no unit.
  if (typeof value === 'number' && value > 0) {
    if (shorthand === 'duration') return formatDuration(value);
    if (shorthand === 'size') return formatSize(value);
  }
  if (!isTree(value)) return value;
  const keys = Object.keys(value);
  if (shorthand === 'strategy' && keys.length === 1) return value.type;
  return Object.fromEntries(keys.map((key) => [key, written(value[key], childOf(node, key) ?? {})]));
}
