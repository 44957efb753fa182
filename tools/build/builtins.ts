import { isBuiltin } from 'node:module';
import type { Plugin } from 'rolldown';

const LATE_PREFIX = '\0late-builtin:';

/** Modules that are loaded once something of them is used: nobody gives Fastify's option of HTTP/2, and many need no TLS. */
const LATE: ReadonlySet<string> = new Set(['node:http2', 'node:https', 'https', 'node:tls', 'tls']);

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
      return { code: `module.exports = ${late(id.slice(LATE_PREFIX.length))};\n`, moduleType: 'js' };
    },
    renderChunk(code) {
      // Line by line, so the source map stays as it is.
      return { code: withoutBuiltinImports(code), map: null };
    },
  };
}

/** Node's module, loaded when something of it is read. */
function late(source: string): string {
  return `new Proxy({}, { get: (_, key) => ${loaded(source)}[key] })`;
}

/** A chunk may have imported `process`, too. */
function loaded(source: string): string {
  return `globalThis.process.getBuiltinModule("${source}")`;
}

/**
 * Throws an Error if an import of a module of Node's has another form than those above, or names something of one that is
 * to be loaded late: such a module is imported as a whole.
 */
export function withoutBuiltinImports(code: string): string {
  const plain = code.replace(IMPORT, (line, whole, space, first, names, source: string) => {
    if (!isBuiltin(source)) return line;
    if (LATE.has(source) && names !== undefined) throw new Error(`import ${source} as a whole: ${line}`);
    const module = LATE.has(source) ? late(source) : loaded(source);
    const defaults = [whole, space, first].filter((name) => name !== undefined);
    const parts = defaults.map((name) => `${name} = ${module}`);
    if (names !== undefined) parts.push(`${String(names).replaceAll(' as ', ': ')} = ${module}`);
    return `const ${parts.join(', ')};`;
  });
  const left = /^import\b.*["']node:.*$/m.exec(plain);
  if (left !== null) throw new Error(`cannot read ${left[0]}`);
  return plain;
}
