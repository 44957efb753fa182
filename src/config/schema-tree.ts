import { ConfigSchema } from './schema.ts';

/** The schema as JSON Schema. The build puts the finished JSON in the place of this module: `tools/build/schema.ts`. */
export const SCHEMA: object = ConfigSchema;
