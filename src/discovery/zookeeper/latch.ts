import { parseOrigin } from '../../net/origin.ts';
import type { OriginRefusal } from '../allowed-origins.ts';
import type { Latch, LatchParticipant } from '../discovery.ts';
import type { ChildData } from './watch.ts';

const LOCK_NAME = 'latch-';
/** In bytes; a URL of a node has some tens of them. */
export const LONGEST_DATA = 1024;
/** Those behind are not elected for a long time, and each that is known is asked. */
export const MOST_PARTICIPANTS = 1_000;

/** Called with a child of the latch and what is wrong with it, as the end of a sentence. */
type OnFault = (name: string, why: string) => void;

/**
 * Reads a leader latch as Curator's `LeaderLatch` does: children in the order of the text after the last `latch-`
 * (`StandardLockInternalsDriver.standardFixForSorting`), compared as strings; the first leads.
 *
 * Its data is the node's URL (`CuratorDruidLeaderSelector`). A first child whose data is empty, unreadable or no URL
 * still leads: the next one is not taken in its place. So does one that `refusal` has a reason against.
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
    // Without data there is nobody yet.
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

/** Code unit order, which is what Java's `String.compareTo` has. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** -1 for a child that ZooKeeper did not number. A counter that ran over is negative. */
function sequenceOf(key: string): number {
  return /^-?\d+$/.test(key) ? Number(key) : -1;
}
