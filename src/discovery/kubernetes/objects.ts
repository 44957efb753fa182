/** An object of the API, of which nothing is certain. */
export type Fields = Readonly<Record<string, unknown>>;

/** `ObjectMeta`, as much as is used. */
export interface Metadata {
  readonly name: string;
  readonly uid: string;
  /** Empty in what the server does not version. */
  readonly resourceVersion: string;
  readonly labels: Fields;
  readonly annotations: Fields;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys; undefined where there is none. */
export function fieldOf(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (!isFields(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

/** Returns null for what has no name. */
export function metadataOf(object: unknown): Metadata | null {
  const name = textAt(object, 'metadata', 'name');
  if (name === '') return null;
  const fields = (key: string): Fields => {
    const found = fieldOf(object, 'metadata', key);
    return isFields(found) ? found : {};
  };
  return {
    name,
    uid: textAt(object, 'metadata', 'uid'),
    resourceVersion: textAt(object, 'metadata', 'resourceVersion'),
    labels: fields('labels'),
    annotations: fields('annotations'),
  };
}

/** The text at a path of keys; empty where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = fieldOf(value, ...path);
  return typeof found === 'string' ? found : '';
}
