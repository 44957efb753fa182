import type { Layer } from './layer.ts';
import { isTree, valueAt } from './tree.ts';

const AUTH = ['zookeeper', 'auth'];

/** Whether a source says what ZooKeeper's password is, in either of the two ways. */
export function givesPassword({ value }: Layer): boolean {
  return ['password', 'passwordFile'].some((key) => (valueAt(value, [...AUTH, key]) ?? null) !== null);
}

/**
 * The password comes from the first source that gives one, as text or as a file: what those after it say is taken
 * out, or a file there would meet a text here although they mean the same setting.
 */
export function oneSourceOfPassword(layers: readonly Layer[]): Layer[] {
  const first = layers.findIndex(givesPassword);
  return layers.map((layer, i) => (first !== -1 && i > first ? withoutPassword(layer) : layer));
}

function withoutPassword(layer: Layer): Layer {
  const { value } = layer;
  if (!isTree(value) || !isTree(value.zookeeper) || !isTree(value.zookeeper.auth)) return layer;
  const { password, passwordFile, ...auth } = value.zookeeper.auth;
  return { ...layer, value: { ...value, zookeeper: { ...value.zookeeper, auth } } };
}
