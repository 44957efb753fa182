import { fileURLToPath } from 'node:url';
import { _, Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import type { Plugin } from 'rolldown';
import { FORMATS } from '../../src/config/formats.ts';
import { AJV_OPTIONS } from '../../src/config/schema-check.ts';
import { SCHEMA } from '../../src/config/schema-tree.ts';
import type { Notes } from '../../src/config/schema-types.ts';

const sourceOf = (name: string): string =>
  fileURLToPath(new URL(`../../src/config/${name}`, import.meta.url));

/** The schema as a module: what is left of it in JSON is all that the program reads. */
export function schemaModule(): string {
  return `export const SCHEMA = JSON.parse(${JSON.stringify(JSON.stringify(SCHEMA))});\n`;
}

/** The notes for people, which no check reads. */
const NOTES: ReadonlySet<string> = new Set([
  'description',
  'expected',
  'shorthand',
  'nearSecret',
] satisfies (keyof Notes)[]);

/** The validator as a module: what ajv would compile at each start. */
export function checkModule(): string {
  // A key of the configuration may be called like a note, but is then a section of the schema.
  const bare: object = JSON.parse(JSON.stringify(SCHEMA), (key, value: unknown) =>
    NOTES.has(key) && typeof value !== 'object' ? undefined : value,
  );
  const ajv = new Ajv({ ...AJV_OPTIONS, code: { source: true, esm: true, formats: _`FORMATS` } });
  for (const [name, check] of Object.entries(FORMATS)) ajv.addFormat(name, check);
  const code = standalone.default(ajv, ajv.compile(bare));
  return `import { FORMATS } from './formats.ts';\n${code}\nexport { validate as check };\n`;
}

/** Puts the schema and its validator into a bundle in place of the libraries that make them. */
export function preparedSchema(): Plugin {
  const prepared = new Map([
    [sourceOf('schema-tree.ts'), schemaModule],
    [sourceOf('schema-check.ts'), checkModule],
  ]);
  return {
    name: 'prepared-schema',
    load(id) {
      const make = prepared.get(id);
      return make === undefined ? null : { code: make(), moduleType: 'js' };
    },
  };
}
