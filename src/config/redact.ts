import type { Config } from './schema.ts';
import { childOf, isTree, ROOT, type SchemaNode } from './schema-walk.ts';

const HIDDEN = '[redacted]';

/** Returns a copy for display, with its secrets hidden. */
export function redact(config: Config): object {
  return hide(config, ROOT) as object;
}

function hide(value: unknown, node: SchemaNode): unknown {
  if (node.shorthand === 'secret') return HIDDEN;
  // A header's value may be a client's credential, whatever the header's name.
  if (node.format === 'header-match') return String(value).replace(/:.*$/s, `: ${HIDDEN}`);
  const { items } = node;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => hide(item, items));
  if (!isTree(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const child = childOf(node, key);
    return [key, child === undefined ? item : hide(item, child)];
  });
  return Object.fromEntries(entries);
}
