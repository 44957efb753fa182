import { isTree, type Path } from './schema-walk.ts';

/** Reports backends of HAProxy that are driven for two ends, or for none. `backends` is the section of that name. */
export function validateFeeds(backends: unknown, add: (path: Path, what: string) => void): void {
  if (!isTree(backends)) return;
  const { coordinator, overlord, brokers } = backends;
  const list = Array.isArray(brokers) ? brokers.filter(isTree) : [];
  const named: [Path, unknown][] = [
    [['coordinator'], coordinator],
    [['overlord'], overlord],
    ...list.map(({ backend }, i): [Path, unknown] => [['brokers', i, 'backend'], backend]),
  ];
  const given = named.filter(([, name]) => name !== undefined);
  if (given.length === 0) add([], 'names no backend');
  const seen = new Set<unknown>();
  for (const [path, name] of given) {
    if (seen.has(name)) add(path, `${String(name)} is given twice; expected a backend of its own`);
    seen.add(name);
  }
  const services = new Set<unknown>();
  for (const [i, { service }] of list.entries()) {
    if (services.has(service))
      add(['brokers', i, 'service'], `there are two backends for ${String(service)}`);
    services.add(service);
  }
}
