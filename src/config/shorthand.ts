import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseHostPort } from '../net/host-port.ts';
import { childOf, isTree, ROOT, type SchemaNode } from './schema-walk.ts';
import { parseDuration, parseSize } from './units.ts';
import { yaml } from './yaml-library.ts';

/**
 * Expands what people write into the form of the schema: `30s` into 30000, `HOST:PORT` into `{ host, port }`, file
 * paths relative to `directory` into absolute ones. A value that cannot be read stays as it is, and the schema
 * refuses it.
 */
export function expand(value: unknown, directory: string, node: SchemaNode = ROOT): unknown {
  const plain = typeof value === 'string' ? expandText(value, directory, node) : expandMap(value, node);
  if (node.type === 'array' && node.items !== undefined && Array.isArray(plain)) {
    const { items } = node;
    return plain.map((item) => expand(item, directory, items));
  }
  if (node.type !== 'object') return plain;
  // `tls:` with nothing but comments below it.
  if (plain === null) return {};
  if (!isTree(plain)) return plain;
  const entries = Object.entries(plain).flatMap(([key, item]): [string, unknown][] => {
    const child = childOf(node, key);
    if (child === undefined) return [[key, item]];
    const expanded = expand(item, directory, child);
    // A key without a value counts as absent if it has a default.
    return expanded === null && child.default !== undefined ? [] : [[key, expanded]];
  });
  return Object.fromEntries(entries);
}

/** Turns a map into a list in the map's order, which JavaScript loses if keys are numbers. */
function expandMap(value: unknown, node: SchemaNode): unknown {
  if (node.shorthand !== 'tiers' || !isTree(value)) return value;
  const entries = Object.entries(value);
  return entries.some(([tier]) => /^\d+$/.test(tier))
    ? value
    : entries.map(([tier, service]) => ({ tier, service }));
}

function expandText(text: string, directory: string, node: SchemaNode): unknown {
  switch (node.shorthand) {
    case 'duration':
      return parseDuration(text) ?? text;
    case 'size':
      return parseSize(text) ?? text;
    case 'address':
      return parseHostPort(text) ?? text;
    case 'broker':
      return { url: text };
    case 'srv':
      return { name: text };
    case 'strategy':
      return { type: text };
    case 'file':
      return text === '' ? text : resolve(directory, text);
    case 'workers':
      return text === 'auto' ? availableParallelism() : text;
    case 'znode':
      return absoluteZnode(text);
    case 'basePath':
      return text.replace(/\/$/, '');
    default:
      return text;
  }
}

/** Adds a leading slash and removes trailing ones, as `ZKPaths.makePath` does for `druid.zk.paths.base`. */
function absoluteZnode(text: string): string {
  const bare = text.replace(/\/+$/, '');
  return bare === '' ? text : bare.startsWith('/') ? bare : `/${bare}`;
}

/**
 * Reads the text of an environment variable as the type in the schema: numbers, `true` and `false`, lists separated
 * by commas, and lists and sections in YAML's or JSON's brackets.
 */
export function fromText(text: string, node: SchemaNode): unknown {
  if (node.type === 'number' && /^\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text);
  if (node.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (node.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  const map = node.shorthand === 'tiers' && text.trimStart().startsWith('{');
  if (node.type === 'array' && !map && !text.trimStart().startsWith('[')) {
    const items = text.split(',').map((item) => item.trim());
    return items.filter((item) => item !== '');
  }
  if (node.type !== 'array' && node.type !== 'object') return text;
  if (!/^\s*[[{]/.test(text) || node.shorthand === 'address') return text;
  try {
    return yaml().parse(text, { logLevel: 'silent' });
  } catch {
    return text;
  }
}
