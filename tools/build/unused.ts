import type { Plugin } from 'rolldown';

/**
 * What Fastify requires for routes with schemas, of which there are none (`src/doors/no-schemas.ts`): ajv and
 * fast-json-stringify with all that they need, a fifth of everything that is loaded at the start.
 */
const UNUSED: ReadonlySet<string> = new Set([
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
]);

const PREFIX = '\0unused:';

/** Leaves modules out that are never called. A call would throw. */
export function withoutUnused(): Plugin {
  return {
    name: 'without-unused',
    resolveId: (source) => (UNUSED.has(source) ? PREFIX + source : null),
    load(id) {
      if (!id.startsWith(PREFIX)) return null;
      const name = id.slice(PREFIX.length);
      const code = `module.exports = () => { throw new Error('${name} is not in this build'); };\n`;
      return { code, moduleType: 'js' };
    },
  };
}
