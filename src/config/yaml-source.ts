import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { problem } from './problems.ts';
import { isTree, type Path, valueAt } from './schema-walk.ts';
import { expand } from './shorthand.ts';
import type { ConfigSource } from './source.ts';
import { yaml } from './yaml-library.ts';

const NO_YAML = 'is no valid YAML; text with special characters needs quotes';

/**
 * Messages by the library's error code. The library's own messages quote the file, which may hold a password there.
 */
const SENTENCES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'has an alias (*name) that no anchor is there for; text that begins with * needs quotes',
  BAD_DQ_ESCAPE: 'has an escape in double quotes that YAML does not know; single quotes take all as it is',
  BAD_INDENT: 'is not indented as YAML needs it',
  BAD_SCALAR_START: 'has text that begins with a reserved character; it needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'has a nested mapping where none can be; text with a colon and a blank needs quotes',
  DUPLICATE_KEY: 'Map keys must be unique',
  MISSING_CHAR: 'lacks a closing quote, a bracket, a comma, a colon or a blank',
  TAB_AS_INDENT: 'has a tab for an indent; YAML takes blanks only',
  TAG_RESOLVE_FAILED: 'has a tag (!name) that is not known; text that begins with ! needs quotes',
};

/** Reads a YAML file. Problems with it, with their lines, are in the source's `problems`. */
export function yamlSource(file: string, cwd: string): ConfigSource {
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return broken(file, `cannot be read (${codeOf(error)})`);
  }
  const { isNode, LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map(({ pos, code }) =>
      problem(`${file}:${lines.linePos(pos[0]).line}`, '', SENTENCES[code] ?? NO_YAML),
    );
    return { value: {}, written: () => undefined, where: () => file, problems };
  }
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch {
    // An alias without an anchor, or far too many aliases.
    return broken(file, SENTENCES.BAD_ALIAS ?? NO_YAML);
  }
  if (!isTree(value)) return broken(file, 'expected a mapping of keys to values');
  const lineOf = (keys: Path): string => {
    for (let length = keys.length; length > 0; length--) {
      const node = document.getIn(keys.slice(0, length), true);
      if (isNode(node) && node.range) return `:${lines.linePos(node.range[0]).line}`;
    }
    return '';
  };
  return {
    value: expand(value, dirname(path)),
    written: (keys) => valueAt(value, keys),
    where: (keys) => `${file}${lineOf(keys)}`,
    problems: [],
  };
}

function broken(file: string, what: string): ConfigSource {
  return {
    value: {},
    written: () => undefined,
    where: () => file,
    problems: [problem(file, '', what)],
  };
}

/** Returns the system's error code for messages, such as `ENOENT`; `unreadable` if there is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
