import { FLAGS, type Flags } from './flags.ts';
import { expand } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';

/** Creates the source of the flags; `cwd` is the base of relative paths. */
export function flagsSource(flags: Flags, cwd: string): ConfigSource {
  const settings: Setting[] = [];
  for (const { name, path } of FLAGS) {
    const value = flags[name];
    if (value !== undefined) settings.push({ path, value, where: `flag --${name}` });
  }
  // A `--zookeeper` flag also selects discovery by ZooKeeper, whatever a file says.
  if (flags.zookeeper !== undefined && flags.discovery === undefined) {
    settings.push({ path: ['discovery', 'type'], value: 'zookeeper', where: 'flag --zookeeper' });
  }
  return sourceOf(settings, (tree) => expand(tree, cwd), []);
}
