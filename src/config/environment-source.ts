import { nearest } from './nearest.ts';
import { problem } from './problems.ts';
import { keys, type Path, ROOT, type SchemaNode } from './schema-walk.ts';
import { expand, fromText } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'DRUID_GATEWAY__';

/** Returns the variable of a key: `DRUID_GATEWAY__ZOOKEEPER__SESSION_TIMEOUT` for `zookeeper.sessionTimeout`. */
export function variableOf(path: Path): string {
  const words = path.map((key) => String(key).replaceAll(/[A-Z]/g, (letter) => `_${letter}`));
  return PREFIX + words.join('__').toUpperCase();
}

/** Returns the names of the gateway's own variables that are set. Any of them may hold a secret. */
export function ownVariables(environment: Environment): string[] {
  return Object.keys(environment).filter((name) => name.startsWith(PREFIX));
}

/** Reads every variable that begins with the prefix. An empty variable counts as not set. */
export function environmentSource(environment: Environment, cwd: string): ConfigSource {
  const settings: Setting[] = [];
  const problems: string[] = [];
  for (const name of ownVariables(environment)) {
    const text = environment[name];
    if (text === undefined || text === '') continue;
    const where = `environment variable ${name}`;
    const found = find(name.slice(PREFIX.length).split('__'));
    if (found === null) {
      const meant = nearest(
        name,
        keys().map(([path]) => variableOf(path)),
      );
      problems.push(
        problem(where, '', `there is no such key${meant === null ? '' : `; did you mean ${meant}?`}`),
      );
    } else {
      settings.push({ path: found.path, value: fromText(text, found.node), where });
    }
  }
  return sourceOf(settings, (tree) => expand(tree, cwd), problems);
}

function find(words: readonly string[]): { readonly path: Path; readonly node: SchemaNode } | null {
  const path: string[] = [];
  let node: SchemaNode = ROOT;
  for (const word of words) {
    const wanted = plain(word);
    const [key, child] = Object.entries(node.properties ?? {}).find(([name]) => plain(name) === wanted) ?? [];
    if (key === undefined || child === undefined) return null;
    path.push(key);
    node = child;
  }
  return { path, node };
}

function plain(word: string): string {
  return word.replaceAll('_', '').toLowerCase();
}
