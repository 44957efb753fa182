import { fileURLToPath } from 'node:url';
import type { Plugin } from 'rolldown';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
const OWN_REQUIRE = 'const require = createRequire(import.meta.url);\n';

/**
 * Puts the libraries that a source loads by `require`, when it needs them, into the bundle: without a `require` of its
 * own, it is the bundle's that is called.
 */
export function lateLibraries(): Plugin {
  return {
    name: 'late-libraries',
    transform(code, id) {
      if (!id.startsWith(SOURCES) || !code.includes(OWN_REQUIRE)) return null;
      // An empty line, so that the lines of the source map stay as they are.
      return { code: code.replace(OWN_REQUIRE, '\n'), map: null };
    },
  };
}
