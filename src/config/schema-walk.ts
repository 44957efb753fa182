import type { FormatName } from './formats.ts';
import { SCHEMA } from './schema-tree.ts';
import type { Notes } from './schema-types.ts';

/** Content of files and flags: objects, lists, text, numbers, booleans, null. */
export type Tree = { readonly [key: string]: unknown };
export type Path = readonly (string | number)[];

/** A part of the schema, in terms of JSON Schema. */
export interface SchemaNode extends Notes {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly format?: FormatName;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly uniqueItems?: boolean;
}

export const ROOT = SCHEMA as SchemaNode;

/** Whether a value is an object, and not a list. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the schema of one key of a section; undefined for an unknown key, including `__proto__` and the like. */
export function childOf(node: SchemaNode, key: string | number): SchemaNode | undefined {
  if (typeof key === 'number') return node.items;
  const properties = node.properties;
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** Returns the schema at a path, or undefined if the path leaves the schema. */
export function schemaAt(path: Path): SchemaNode | undefined {
  let node: SchemaNode | undefined = ROOT;
  for (const key of path) {
    if (node === undefined) return undefined;
    node = childOf(node, key);
  }
  return node;
}

/** Returns the value at a path, or undefined. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** Formats a path, as in `static.brokers[0].url`. */
export function formatPath(path: Path): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');
}

/** Returns every section, list and leaf of the schema with its path, except the root. */
export function keys(node: SchemaNode = ROOT, path: Path = []): [Path, SchemaNode][] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const below: Path = [...path, key];
    return [[below, child] as [Path, SchemaNode], ...keys(child, below)];
  });
}

/** Returns every leaf and every list of the schema with its path. */
export function leaves(node: SchemaNode = ROOT, path: Path = []): [Path, SchemaNode][] {
  if (node.properties === undefined) return [[path, node]];
  return Object.entries(node.properties).flatMap(([key, child]) => leaves(child, [...path, key]));
}
