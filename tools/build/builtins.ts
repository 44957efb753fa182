import { isBuiltin } from 'node:module';
import type { Plugin } from 'rolldown';

const LATE_PREFIX = '\0late-builtin:';

/** Modules that libraries require when they load, and that only options use which nobody gives: HTTP/2 of Fastify. */
const LATE: ReadonlySet<string> = new Set(['node:http2']);

/** One line of a chunk, before it is made small. */
const IMPORT = /^import (?:([\w$]+)|\* as ([\w$]+)|(?:([\w$]+), )?(\{[^}]*\})) from ["']([^"']+)["'];$/gm;

/**
 * Takes Node's own modules by `process.getBuiltinModule` instead of `import`. An import reads every export, also those
 * that load something when they are read: `node:http` then loads all of Node's `fetch` and `WebSocket`, which costs each
 * process 14 MB and 25 ms.
 */
export function plainBuiltins(): Plugin {
  return {
    name: 'plain-builtins',
    resolveId(source, _importer, { kind }) {
      return kind === 'require-call' && LATE.has(source) ? LATE_PREFIX + source : null;
    },
    load(id) {
      if (!id.startsWith(LATE_PREFIX)) return null;
      const read = `process.getBuiltinModule('${id.slice(LATE_PREFIX.length)}')[key]`;
      return { code: `module.exports = new Proxy({}, { get: (_, key) => ${read} });\n`, moduleType: 'js' };
    },
    renderChunk(code) {
      // Line by line, so the source map stays as it is.
      return { code: withoutBuiltinImports(code), map: null };
    },
  };
}

/** Throws an Error if an import of a module of Node's has another form than those above. */
export function withoutBuiltinImports(code: string): string {
  const plain = code.replace(IMPORT, (line, whole, space, first, names, source: string) => {
    if (!isBuiltin(source)) return line;
    // A chunk may have imported `process`, too.
    const module = `globalThis.process.getBuiltinModule("${source}")`;
    const defaults = [whole, space, first].filter((name) => name !== undefined);
    const parts = defaults.map((name) => `${name} = ${module}`);
    if (names !== undefined) parts.push(`${String(names).replaceAll(' as ', ': ')} = ${module}`);
    return `const ${parts.join(', ')};`;
  });
  const left = /^import\b.*["']node:.*$/m.exec(plain);
  if (left !== null) throw new Error(`cannot read ${left[0]}`);
  return plain;
}
