import { FLAGS } from '../../src/config/flags.ts';
import { isReloadable } from '../../src/config/reloadable.ts';
import { DURATION, SIZE } from '../../src/config/schema-types.ts';
import { formatPath, leaves, type Path, type SchemaNode } from '../../src/config/schema-walk.ts';
import { formatDuration, formatSize } from '../../src/config/units.ts';
import { table } from './table.ts';
import { written } from './written.ts';

/** Every key: the table of docs/configuration.md. */
export function keyTable(): string {
  const rows = leaves().map(([path, node]) => [
    `\`${formatPath(path)}\``,
    fallback(node),
    kind(node),
    isReloadable(path) ? 'yes' : 'restart',
    does(path, node),
  ]);
  return table(['key', 'default', 'value', 'reload', 'what it does'], rows);
}

function fallback(node: SchemaNode): string {
  if (node.default === undefined || node.default === '') return '';
  const value = written(node.default, node);
  if (Array.isArray(value)) return `\`[${value.join(', ')}]\``;
  return typeof value === 'object' ? '`{}`' : `\`${value}\``;
}

/** What is expected, in the words of the page, and the limits that are not plain. */
function kind(node: SchemaNode): string {
  const { expected = '', minimum = 0, maximum = 0, shorthand } = node;
  switch (shorthand) {
    case 'duration': {
      const short = expected.replace(DURATION, 'a duration');
      return minimum > 1 ? `${short} from ${formatDuration(minimum)}` : short;
    }
    case 'size': {
      const short = expected.replace(SIZE, 'a size');
      return `${short} ${minimum > 0 ? `from ${formatSize(minimum)} ` : ''}up to ${formatSize(maximum)}`;
    }
    default:
      return expected;
  }
}

function does(path: Path, { description = '' }: SchemaNode): string {
  const linked = description.replaceAll(/\bdocs\/([\w/-]+\.md)/g, '[$&]($1)');
  const flag = flagOf(path);
  return flag === undefined ? linked : `${linked} Flag \`--${flag}\`.`;
}

/** The flag that sets a key, or the section that it is in. */
function flagOf(path: Path): string | undefined {
  const flags = FLAGS.filter(({ path: set }) => {
    const covers = set.every((key, i) => path[i] === key);
    return covers && path.length <= set.length + 1;
  });
  return flags.toSorted((a, b) => b.path.length - a.path.length)[0]?.name;
}
