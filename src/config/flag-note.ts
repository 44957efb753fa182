import { formatHostPort } from '../net/host-port.ts';
import type { Flag } from './flags.ts';
import { type SchemaNode, schemaAt } from './schema-walk.ts';

/** Returns the schema's note on a flag for the help, its choices and default: ` (relay or redirect; relay)`. */
export function flagNote({ path }: Flag): string {
  const node = schemaAt(path);
  const notes = [choices(node), defaultText(node)].filter((note) => note !== '');
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`;
}

function choices(node: SchemaNode | undefined): string {
  const [last = '', ...others] = node?.enum?.toReversed() ?? [];
  return others.length === 0 ? last : `${others.toReversed().join(', ')} or ${last}`;
}

function defaultText(node: SchemaNode | undefined): string {
  const fallback = node?.shorthand === 'address' ? addressDefault(node) : node?.default;
  return fallback === undefined ? '' : String(fallback);
}

function addressDefault({ properties }: SchemaNode): string {
  return formatHostPort({
    host: String(properties?.host?.default),
    port: Number(properties?.port?.default),
  });
}
