import { isTree, valueAt } from './schema-walk.ts';
import type { ConfigSource } from './source.ts';

const AUTH = ['zookeeper', 'auth'];

/** Whether a source says what ZooKeeper's password is, in either of the two ways. */
export function givesPassword({ value }: ConfigSource): boolean {
  return ['password', 'passwordFile'].some((key) => (valueAt(value, [...AUTH, key]) ?? null) !== null);
}

/**
 * The password comes from the first source that gives one, as text or as a file: what those after it say is taken
 * out, or a file there would meet a text here although they mean the same setting.
 */
export function oneSourceOfPassword(sources: readonly ConfigSource[]): ConfigSource[] {
  const first = sources.findIndex(givesPassword);
  return sources.map((source, i) => (first !== -1 && i > first ? withoutPassword(source) : source));
}

function withoutPassword(source: ConfigSource): ConfigSource {
  const { value } = source;
  if (!isTree(value) || !isTree(value.zookeeper) || !isTree(value.zookeeper.auth)) return source;
  const { password, passwordFile, ...auth } = value.zookeeper.auth;
  return { ...source, value: { ...value, zookeeper: { ...value.zookeeper, auth } } };
}
