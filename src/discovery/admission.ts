import type { OriginRefusal } from './allowed-origins.ts';
import type { ParsedAnnouncement } from './announcement.ts';
import type { Announcement } from './discovery.ts';

/** Most announcements of one role, above any real cluster: each node is probed every second. */
export const MOST_ANNOUNCEMENTS = 10_000;

export interface AdmissionOptions {
  /** Why a node may not be used; null for one that may. */
  readonly refusal: (announcement: Announcement) => ReturnType<OriginRefusal>;
  /** Those of this role that are in use now. */
  readonly present: readonly Announcement[];
  /** The name of the role's list, for messages. */
  readonly list: string;
  /** Called with one sentence for each entry that is of no use. */
  readonly onFault: (fault: string) => void;
}

/**
 * Chooses the nodes of one role from what a source says, sorted, and each once: of two entries for one `host:port` the
 * later one counts. `found` has the name of each entry for messages.
 */
export function admit(
  found: Iterable<readonly [name: string, parsed: ParsedAnnouncement]>,
  { refusal, present, list, onFault }: AdmissionOptions,
): Announcement[] {
  const byAddress = new Map<string, Announcement>();
  for (const [name, parsed] of found) {
    if (parsed.kind === 'fault') onFault(`${name} ${parsed.reason}`);
    if (parsed.kind !== 'announcement') continue;
    const { announcement } = parsed;
    const why = refusal(announcement);
    if (why === null) byAddress.set(announcement.hostAndPort, announcement);
    else onFault(`${name} ${why}`);
  }
  let admitted = [...byAddress.values()];
  if (admitted.length > MOST_ANNOUNCEMENTS) {
    onFault(`${list} has ${admitted.length} nodes; ${MOST_ANNOUNCEMENTS} of them are used`);
    // Entries that are not nodes must not push out real ones.
    const known = new Set(present.map(({ origin }) => origin));
    const isKnown = ({ origin }: Announcement): boolean => known.has(origin);
    admitted = [...admitted.filter(isKnown), ...admitted.filter((one) => !isKnown(one))].slice(
      0,
      MOST_ANNOUNCEMENTS,
    );
  }
  return admitted.toSorted((a, b) => (a.hostAndPort < b.hostAndPort ? -1 : 1));
}
