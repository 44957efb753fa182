import { redact } from './redact.ts';
import type { Config } from './schema.ts';
import { childOf, formatPath, isTree, type Path, ROOT, type SchemaNode } from './schema-walk.ts';
import { formatDuration, formatSize } from './units.ts';

/** One setting as people see it. */
export interface ShownSetting {
  /** As in `static.brokers`. */
  readonly key: string;
  /** With its unit; secrets are hidden. */
  readonly value: string;
  /** Where the value comes from: `gateway.yaml:4`, `environment variable X`, `flag --listen`, `default`. */
  readonly origin: string;
}

/** Lists the settings of a configuration in the schema's order. */
export function showSettings(config: Config, originOf: (path: Path) => string): ShownSetting[] {
  return shownBelow(redact(config), ROOT, [], originOf);
}

function shownBelow(
  value: unknown,
  node: SchemaNode | undefined,
  path: Path,
  originOf: (path: Path) => string,
): ShownSetting[] {
  if (!isTree(value)) return [{ key: formatPath(path), value: shown(value, node), origin: originOf(path) }];
  return Object.keys(node?.properties ?? value)
    .filter((key) => Object.hasOwn(value, key))
    .flatMap((key) =>
      shownBelow(value[key], node === undefined ? node : childOf(node, key), [...path, key], originOf),
    );
}

function shown(value: unknown, node: SchemaNode | undefined): string {
  if (typeof value === 'number' && node?.shorthand === 'duration') return formatDuration(value);
  if (typeof value === 'number' && node?.shorthand === 'size') return formatSize(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
