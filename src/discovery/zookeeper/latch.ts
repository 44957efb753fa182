import { parseOrigin } from '../../net/origin.ts';
import type { OriginRefusal } from '../allowed-origins.ts';
import type { Latch, LatchParticipant } from '../discovery.ts';
import type { ChildData } from './watch.ts';

const LOCK_NAME = 'latch-';
/** Longest data in bytes; a node's URL has some tens. */
export const LONGEST_DATA = 1024;
/** Most participants. Later ones will not lead for a long time, and each known node is probed. */
export const MOST_PARTICIPANTS = 1_000;

/** Called with the name of a latch's child and its problem, as the end of a sentence. */
type OnFault = (name: string, why: string) => void;

/**
 * Parses a leader latch as Curator's `LeaderLatch` does. The children are sorted by the text after the last
 * `latch-` (`StandardLockInternalsDriver.standardFixForSorting`), compared as strings, and the first leads.
 *
 * The data of a child is the node's URL (`CuratorDruidLeaderSelector`). A first child whose data is empty,
 * unreadable or not a URL still leads: the next one does not take its place. The same holds for a node that
 * `refusal` rejects.
 */
export function parseLatch(
  children: ReadonlyMap<string, ChildData>,
  refusal: OriginRefusal = () => null,
  onFault: OnFault = () => {},
): Latch {
  const inLine = [...children]
    .map(([name, data]) => ({ key: sortingKey(name), name, data }))
    .sort((a, b) => compare(a.key, b.key) || compare(a.name, b.name))
    .slice(0, MOST_PARTICIPANTS);
  const participants = inLine.map(({ key, name, data }): LatchParticipant => {
    const origin = originOf(data);
    // Empty data is no fault: the node has not written it yet.
    if (origin === null && data !== 'refused' && data.length > 0) onFault(name, 'names no node by a URL');
    const why = origin === null ? null : refusal(origin);
    if (why !== null) onFault(name, `names a node that ${why}`);
    return { sequence: sequenceOf(key), origin: why === null ? origin : null };
  });
  return { participants };
}

function originOf(data: ChildData): string | null {
  if (data === 'refused' || data.length > LONGEST_DATA) return null;
  const text = data.toString('utf8').trim();
  let end = text.length;
  while (end > 0 && text[end - 1] === '/') end--;
  return parseOrigin(text.slice(0, end));
}

function sortingKey(name: string): string {
  const index = name.lastIndexOf(LOCK_NAME);
  return index === -1 ? name : name.slice(index + LOCK_NAME.length);
}

/** Compares by code units, as Java's `String.compareTo`. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Returns -1 for a child that ZooKeeper did not number. A counter that overflowed is negative. */
function sequenceOf(key: string): number {
  return /^-?\d+$/.test(key) ? Number(key) : -1;
}
