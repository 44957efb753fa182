import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { problem } from './problems.ts';
import { isTree, type Path, valueAt } from './schema-walk.ts';
import { expand } from './shorthand.ts';
import type { ConfigSource } from './source.ts';

/** Reads a YAML file. What is wrong with it is among the layer's problems, with the line. */
export function yamlSource(file: string, cwd: string): ConfigSource {
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return broken(file, `cannot be read (${codeOf(error)})`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map(({ pos, message }) =>
      problem(`${file}:${lines.linePos(pos[0]).line}`, '', message),
    );
    return { value: {}, written: () => undefined, where: () => file, problems };
  }
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch (error) {
    return broken(file, error instanceof Error ? error.message : String(error));
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

/** The system's error code, for messages: `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
