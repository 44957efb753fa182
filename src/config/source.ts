import { type Path, type Tree, valueAt } from './schema-walk.ts';

/** One source of settings. */
export interface ConfigSource {
  /** In the schema's form. */
  readonly value: unknown;
  /** As it was written, for messages; undefined where it was not written like this. */
  readonly written: (path: Path) => unknown;
  /** Where a value stands: `gateway.yaml:4`, `environment variable X`, `flag --listen`. */
  readonly where: (path: Path) => string;
  /** What is wrong already: unreadable text, unknown names. */
  readonly problems: readonly string[];
}

/** One setting of a source that names each value by itself. */
export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** As in `Layer.where`. */
  readonly where: string;
}

/** Puts settings of one source together; a path below another one's wins over it. */
export function sourceOf(
  settings: readonly Setting[],
  expand: (tree: Tree) => unknown,
  problems: readonly string[],
): ConfigSource {
  const tree: Record<string, unknown> = {};
  for (const { path, value } of settings.toSorted((a, b) => a.path.length - b.path.length)) {
    put(tree, path, value);
  }
  return {
    value: expand(tree),
    written: (path) => valueAt(tree, path),
    where: (path) => nearest(settings, path)?.where ?? '',
    problems,
  };
}

function put(tree: Record<string, unknown>, path: Path, value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const below = tree[key];
  const section = typeof below === 'object' && below !== null && !Array.isArray(below) ? { ...below } : {};
  tree[key] = section;
  put(section, rest, value);
}

function nearest(settings: readonly Setting[], path: Path): Setting | undefined {
  const covers = settings.filter((s) => s.path.every((key, i) => path[i] === key));
  const covering = covers.toSorted((a, b) => b.path.length - a.path.length)[0];
  return covering ?? settings.find((s) => path.every((key, i) => s.path[i] === key));
}
