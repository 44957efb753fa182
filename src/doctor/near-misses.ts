import type { Session } from '../discovery/zookeeper/session.ts';
import { ignore, unless } from './zookeeper-read.ts';

/** Paths that are looked at; a ZooKeeper that others use, too, may have any number. */
const MOST_READS = 200;
const DEEPEST = 3;
const MOST_FOUND = 5;
/** ZooKeeper's own. */
const OWN = '/zookeeper';

/**
 * Searches ZooKeeper from its root for other paths that look like the base path of a Druid cluster: those with
 * `internal-discovery`, and those with `_COORDINATOR` below. Rejects with `ReadError` if the connection is lost.
 */
export async function findNearMisses(session: Session, configured: string): Promise<string[]> {
  const found: string[] = [];
  let reads = 0;
  let level = [''];
  for (let depth = 0; depth <= DEEPEST && found.length < MOST_FOUND; depth++) {
    const next: string[] = [];
    for (const path of level) {
      if (reads++ >= MOST_READS) return found;
      const names = await unless(session.getChildren(path === '' ? '/' : path, ignore));
      if (names === 'absent' || names === 'refused') continue;
      if (names.includes('internal-discovery') && path !== configured) found.push(path === '' ? '/' : path);
      else if (names.includes('_COORDINATOR') && !isBelow(path, configured))
        found.push(`${path}/_COORDINATOR`);
      else {
        const children = names
          .filter((name) => name !== '' && !name.includes('/'))
          .map((name) => `${path}/${name}`);
        next.push(...children.filter((child) => child !== OWN));
      }
    }
    level = next;
  }
  return found.slice(0, MOST_FOUND);
}

function isBelow(path: string, base: string): boolean {
  return path === base || path.startsWith(`${base}/`);
}
