import type { Session } from '../discovery/zookeeper/session.ts';
import { ignore, unless } from './zookeeper-read.ts';

/** Paths that are looked at; a ZooKeeper that others use, too, may have any number. */
const MOST_READS = 200;
const DEEPEST = 3;
const MOST_FOUND = 5;
/** ZooKeeper's own. */
const OWN = '/zookeeper';

/** The configured paths, from the root of ZooKeeper and without a final slash. */
export interface ConfiguredPaths {
  readonly base: string;
  readonly coordinator: string;
}

/**
 * Searches ZooKeeper from its root for other paths that look like Druid's: a base path, which has
 * `internal-discovery`, and the place of the Coordinators' latch, which has `_COORDINATOR`. Rejects with `ReadError` if
 * the connection is lost.
 */
export async function findNearMisses(session: Session, configured: ConfiguredPaths): Promise<string[]> {
  const found: string[] = [];
  let reads = 0;
  let level = [''];
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const next: string[] = [];
    for (const path of level) {
      if (found.length === MOST_FOUND || reads++ === MOST_READS) return found;
      const names = await unless(session.getChildren(path === '' ? '/' : path, ignore));
      if (names === 'absent' || names === 'refused') continue;
      const isBase = names.includes('internal-discovery') && path !== configured.base;
      const isLatch = names.includes('_COORDINATOR') && path !== configured.coordinator;
      if (isBase || isLatch) found.push(path === '' ? '/' : path);
      else next.push(...childrenOf(path, names).slice(0, MOST_READS - next.length));
    }
    level = next;
  }
  return found;
}

function childrenOf(path: string, names: readonly string[]): string[] {
  return names
    .slice(0, MOST_READS)
    .filter((name) => name !== '' && !name.includes('/'))
    .map((name) => `${path}/${name}`)
    .filter((child) => child !== OWN);
}
