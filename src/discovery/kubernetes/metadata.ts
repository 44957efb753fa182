import { type Fields, fieldOf, isFields, textAt } from '../json-fields.ts';

/** `ObjectMeta`, as much as is used. */
export interface Metadata {
  readonly name: string;
  readonly uid: string;
  /** Empty in what the server does not version. */
  readonly resourceVersion: string;
  readonly labels: Fields;
  readonly annotations: Fields;
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
