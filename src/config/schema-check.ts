import { Ajv, type ErrorObject } from 'ajv';
import { FORMATS } from './formats.ts';
import { SCHEMA } from './schema-tree.ts';

export type { ErrorObject };

/** Ajv's validator: fills defaults into the value, and keeps the errors of its last call. */
export interface SchemaCheck {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}

/** How the schema is checked. */
export const AJV_OPTIONS = { allErrors: true, strict: false, useDefaults: true } as const;

const ajv = new Ajv(AJV_OPTIONS);
for (const [name, check] of Object.entries(FORMATS)) ajv.addFormat(name, check);

/** Checks a configuration. The build puts the code that ajv makes in the place of this module: `tools/build/schema.ts`. */
export const check: SchemaCheck = ajv.compile(SCHEMA);
