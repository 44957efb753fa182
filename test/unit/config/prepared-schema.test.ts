import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check, type SchemaCheck } from '../../../src/config/schema-check.ts';
import { SCHEMA } from '../../../src/config/schema-tree.ts';
import { leaves, type Path, type Tree } from '../../../src/config/schema-walk.ts';
import { preparedSchema } from '../../../tools/build/schema.ts';
import { randomTrees } from '../../kit/config/random-trees.ts';

let folder: string;
/** As the build has them. */
let prepared: { SCHEMA: object; check: SchemaCheck };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-prepared-'));
  const source = (name: string): string => join(import.meta.dirname, '../../../src/config', name);
  const bundle = await rolldown({
    input: { tree: source('schema-tree.ts'), check: source('schema-check.ts') },
    platform: 'node',
    plugins: [preparedSchema()],
  });
  const { output } = await bundle.write({ dir: folder, entryFileNames: '[name].mjs' });
  const modules = output.flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []));
  // Neither library is there when a gateway starts.
  expect(modules.filter((id) => /typebox|ajv\/dist\/(?!runtime\/)/.test(id))).toEqual([]);
  const load = async (name: string): Promise<object> => import(pathToFileURL(join(folder, name)).href);
  prepared = { ...(await load('tree.mjs')), ...(await load('check.mjs')) } as typeof prepared;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Says what a validator makes of a tree: defaults filled in, and every error. */
function outcome(validate: SchemaCheck, tree: unknown): object {
  const value = structuredClone(tree);
  const fits = validate(value);
  const errors = fits ? [] : (validate.errors ?? []);
  return {
    fits,
    value,
    errors: errors.map(({ instancePath, keyword, params }) => ({ instancePath, keyword, params })),
  };
}

/** Puts a value at a path of a tree, whatever is there. */
function put(tree: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const section = typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? (tree as Tree) : {};
  return { ...section, [key]: put(section[key], rest, value) };
}

test('the schema of the build is that of the sources', () => {
  expect(prepared.SCHEMA).toEqual(JSON.parse(JSON.stringify(SCHEMA)));
});

test('the validator of the build finds the same errors and fills in the same defaults', () => {
  const paths = leaves().map(([path]) => path);
  const anywhere = fc.constantFrom(...paths, ...paths.map((path) => path.slice(0, -1)));
  const faults = fc.array(fc.tuple(anywhere, fc.anything({ maxDepth: 2 })), { maxLength: 3 });
  fc.assert(
    fc.property(randomTrees, faults, (tree, wrong) => {
      const given = wrong.reduce<unknown>((so, [path, value]) => put(so, path, value), tree);
      expect(outcome(prepared.check, given)).toEqual(outcome(check, given));
    }),
    { numRuns: 150 },
  );
  expect(outcome(prepared.check, {})).toEqual(outcome(check, {}));
});
