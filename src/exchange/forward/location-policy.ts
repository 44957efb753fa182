import { splitLocation } from '../own-answers/redirect.ts';
import type { RedirectTarget } from './verdict.ts';

/** Whether an origin, as `parseOrigin` spells it, is a node of the cluster. */
export type IsNode = (origin: string) => boolean;

/** Where a `Location` points; null for one that has no origin, and so stays within the gateway. */
export function redirectTargetOf(location: string, target: string, isNode: IsNode): RedirectTarget | null {
  const split = splitLocation(location);
  return split === null ? null : { known: isNode(split.origin), sameTarget: split.target === target };
}

/** What a client gets to see of a `Location`: nothing of a node's address. */
export function publicLocation(location: string, isNode: IsNode): string {
  const split = splitLocation(location);
  return split !== null && isNode(split.origin) ? split.target : location;
}
