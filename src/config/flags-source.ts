import type { Path } from './schema-walk.ts';
import { expand } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';

/** What the command line can say besides which files to read. */
export interface Flags {
  readonly zookeeper?: string;
  readonly discovery?: string;
  readonly listen?: string;
  readonly admin?: string;
  readonly 'log-level'?: string;
}

/** The key of each flag. */
export const FLAG_PATHS: Readonly<Record<keyof Flags, Path>> = {
  zookeeper: ['zookeeper', 'connect'],
  discovery: ['discovery', 'type'],
  listen: ['listen'],
  admin: ['admin', 'listen'],
  'log-level': ['log', 'level'],
};

export function flagsSource(flags: Flags, cwd: string): ConfigSource {
  const settings: Setting[] = [];
  for (const [name, path] of Object.entries(FLAG_PATHS)) {
    const value = flags[name as keyof Flags];
    if (value !== undefined) settings.push({ path, value, where: `flag --${name}` });
  }
  // Who names a ZooKeeper wants it to be asked, whatever a file says.
  if (flags.zookeeper !== undefined && flags.discovery === undefined) {
    settings.push({ path: FLAG_PATHS.discovery, value: 'zookeeper', where: 'flag --zookeeper' });
  }
  return sourceOf(settings, (tree) => expand(tree, cwd), []);
}
