import { type Path, type Tree, valueAt } from './schema-walk.ts';

/** One source of settings. */
export interface ConfigSource {
  /** In the schema's form. */
  readonly value: unknown;
  /** The value as written, for messages; undefined if it was not written in this form. */
  readonly written: (path: Path) => unknown;
  /** Where a value was written: `gateway.yaml:4`, `environment variable X`, `flag --listen`. */
  readonly where: (path: Path) => string;
  /** Problems found while reading: unreadable text, unknown names. */
  readonly problems: readonly string[];
}

/** One setting of a source that gives values one by one. */
export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** As in `ConfigSource.where`. */
  readonly where: string;
}

/**
 * Combines the settings of one source; a setting of a longer path wins over one of its parent's. `expand` turns what
 * people write into the form of the schema.
 */
export function sourceOf(
  settings: readonly Setting[],
  expand: (tree: Tree) => unknown,
  problems: readonly string[],
): ConfigSource {
  const tree: Record<string, unknown> = {};
  for (const { path, value } of settings.toSorted((a, b) => a.path.length - b.path.length)) {
    openText(tree, path, expand);
    put(tree, path, value);
  }
  return {
    value: expand(tree),
    written: (path) => valueAt(tree, path),
    where: (path) => nearest(settings, path)?.where ?? '',
    problems,
  };
}

/**
 * Turns a text that stands for a section into that section, for a setting of a key in it: `HOST:PORT` of `listen` for
 * `listen.basePath`. A text that stands for none stays, and the schema refuses it.
 */
function openText(tree: Record<string, unknown>, path: Path, expand: (tree: Tree) => unknown): void {
  for (let length = 1; length < path.length; length++) {
    const section = path.slice(0, length);
    if (typeof valueAt(tree, section) === 'string') put(tree, section, valueAt(expand(tree), section));
  }
}

function put(tree: Record<string, unknown>, path: Path, value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const below = tree[key];
  // It stands for no section, which is to be told.
  if (typeof below === 'string') return;
  const section = typeof below === 'object' && below !== null && !Array.isArray(below) ? { ...below } : {};
  tree[key] = section;
  put(section, rest, value);
}

function nearest(settings: readonly Setting[], path: Path): Setting | undefined {
  const covers = settings.filter((s) => s.path.every((key, i) => path[i] === key));
  const covering = covers.toSorted((a, b) => b.path.length - a.path.length)[0];
  return covering ?? settings.find((s) => path.every((key, i) => s.path[i] === key));
}
