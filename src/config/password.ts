import { isTree, valueAt } from './schema-walk.ts';
import type { ConfigSource } from './source.ts';

const AUTH = ['zookeeper', 'auth'];

/** Whether a source gives ZooKeeper's password, as text or as a file. */
export function givesPassword({ value }: ConfigSource): boolean {
  return ['password', 'passwordFile'].some((key) => (valueAt(value, [...AUTH, key]) ?? null) !== null);
}

/**
 * Removes the password from all sources after the first that gives one. Otherwise a file from one source would meet a
 * text from another, although both mean the same setting.
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
