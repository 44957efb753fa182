/**
 * Fastify's option for an instance whose routes have no schemas. By default each instance sets up ajv and
 * fast-json-stringify, which are large. Answers are then written by `JSON.stringify`, as without a schema anyway.
 */
export const NO_SCHEMAS = {
  compilersFactory: {
    buildValidator: () => refuse,
    buildSerializer: () => refuse,
  },
};

/** Called for a route with a schema, at the start. */
function refuse(): never {
  throw new Error('routes of this instance have no schemas');
}
