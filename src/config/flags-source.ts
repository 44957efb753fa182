import { FLAGS, type Flags } from './flags.ts';
import { expand } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';

export function flagsSource(flags: Flags, cwd: string): ConfigSource {
  const settings: Setting[] = [];
  for (const { name, path } of FLAGS) {
    const value = flags[name];
    if (value !== undefined) settings.push({ path, value, where: `flag --${name}` });
  }
  // Who names a ZooKeeper wants it to be asked, whatever a file says.
  if (flags.zookeeper !== undefined && flags.discovery === undefined) {
    settings.push({ path: ['discovery', 'type'], value: 'zookeeper', where: 'flag --zookeeper' });
  }
  return sourceOf(settings, (tree) => expand(tree, cwd), []);
}
