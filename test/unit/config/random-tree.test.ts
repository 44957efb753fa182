import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../../src/config/load.ts';
import { isTree, ROOT, type SchemaNode, type Tree } from '../../../src/config/schema-walk.ts';
import { formatDuration, formatSize } from '../../../src/config/units.ts';
import { formatHostPort } from '../../../src/net/host-port.ts';
import { randomTrees } from '../../kit/config/random-trees.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-random-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'random.yaml');

/** The same as people write it, with units and HOST:PORT. */
function spelled(value: unknown, node: SchemaNode): unknown {
  const { items } = node;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => spelled(item, items));
  if (typeof value === 'number' && node.shorthand === 'duration') return formatDuration(value);
  if (typeof value === 'number' && node.shorthand === 'size') return formatSize(value);
  if (!isTree(value)) return value;
  if (node.shorthand === 'address' && value.tls === undefined && (value.basePath ?? '') === '') {
    return formatHostPort({ host: String(value.host), port: Number(value.port) });
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, spelled(item, node.properties?.[key] ?? {})]),
  );
}

function load(tree: unknown): object {
  writeFileSync(path, stringify(tree));
  return loadConfig({ file: path });
}

test('a random valid tree, printed as YAML, loads to the same configuration', () => {
  fc.assert(
    fc.property(randomTrees, (tree) => {
      const loaded = load(tree);
      expect(loaded).toMatchObject(tree as Tree);
      expect(load(spelled(tree, ROOT))).toEqual(loaded);
      expect(load(loaded)).toEqual(loaded);
    }),
    { numRuns: 100 },
  );
});
