import type { Config } from './schema.ts';
import { formatPath, isTree, leaves, type Path } from './schema-walk.ts';
import type { ShownSetting } from './shown-settings.ts';

/**
 * What a reload takes up, by key; a section stands for all keys below it that have no entry of their own. Everything
 * that decides about a single request can be taken up, and so can the source of discovery, which is replaced as a whole.
 * What else made a socket, a timer, a connection or a process at the start of the gateway needs a restart.
 */
export const TAKEN_UP: Readonly<Record<string, boolean>> = {
  workers: false,
  listen: false,
  'listen.basePath': true,
  admin: false,
  'admin.viewClients': true,
  discovery: true,
  zookeeper: true,
  kubernetes: true,
  consul: true,
  dns: true,
  static: true,
  upstream: false,
  'upstream.totalTimeout': true,
  'upstream.abandonedTimeout': true,
  'upstream.byClass': true,
  'upstream.maxRequestsPerNode': true,
  'upstream.bufferBody': true,
  'upstream.showNode': true,
  queries: true,
  brokers: true,
  leadership: false,
  health: false,
  parking: true,
  retries: true,
  mode: true,
  redirect: true,
  routes: true,
  forwarded: true,
  cors: true,
  limits: false,
  'limits.bodyIdleTimeout': true,
  'limits.minBodyRate': true,
  'limits.bodyMemory': true,
  'limits.concurrency': true,
  'limits.queue': true,
  doors: false,
  reload: false,
  history: false,
  feeds: false,
  shutdown: false,
  log: true,
  'log.format': false,
  tracing: false,
  'tracing.sampleRatio': true,
  'tracing.followParent': true,
};

/** Whether a reload takes up a key, or a list and what is in it. Throws if the table above does not have the key. */
export function isReloadable(path: Path): boolean {
  for (let length = path.length; length > 0; length--) {
    const taken = TAKEN_UP[path.slice(0, length).join('.')];
    if (taken !== undefined) return taken;
  }
  throw new Error(`${path.join('.')} is missing in the table of what a reload takes up`);
}

/** Returns `next` with all that needs a restart as it is in `current`. */
export function takeUp(current: Config, next: Config): Config {
  return taken(current, next, []) as Config;
}

/** Does what `takeUp` does to the settings that people see, of the same two configurations. */
export function takeUpSettings(
  current: readonly ShownSetting[],
  next: readonly ShownSetting[],
): readonly ShownSetting[] {
  const isTaken = ({ key }: ShownSetting): boolean => isReloadable(key.split('.'));
  const settings = [...current.filter((setting) => !isTaken(setting)), ...next.filter(isTaken)];
  const order = new Map(leaves().map(([path], i) => [formatPath(path), i]));
  return settings.toSorted((a, b) => (order.get(a.key) ?? 0) - (order.get(b.key) ?? 0));
}

/** The value at `path`: of `next` where a reload takes it up, otherwise of `current`. */
function taken(current: unknown, next: unknown, path: Path): unknown {
  if (!isMixed(path)) return isReloadable(path) ? next : current;
  const [before, after] = [current, next].map((section) => (isTree(section) ? section : {}));
  const keys = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  const entries = [...keys].map((key) => [key, taken(before?.[key], after?.[key], [...path, key])]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Whether keys below this one are told apart in the table. */
function isMixed(path: Path): boolean {
  const prefix = path.length === 0 ? '' : `${path.join('.')}.`;
  return Object.keys(TAKEN_UP).some((key) => key.startsWith(prefix));
}
