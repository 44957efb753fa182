import { isIP } from 'node:net';
import { cleanedLocation, type IsNode, oneSlash, splitLocation } from '../own-answers/redirect.ts';
import type { RedirectTarget } from './verdict.ts';

/** Where a `Location` points; null for one that has no origin, and so stays within the gateway. */
export function redirectTargetOf(location: string, target: string, isNode: IsNode): RedirectTarget | null {
  const split = splitLocation(location, isNode);
  if (split === null) return null;
  const { origin } = split;
  return { known: isNode(origin), sameTarget: split.target === target, named: isNamed(origin) };
}

/**
 * What a client gets to see of a `Location`: nothing of a node's address, and of what has no scheme nothing that would
 * lead elsewhere. Jetty 12 redirects to the path alone, and a path that begins with two slashes, or with a
 * backslash after the first, is a host to a browser.
 */
export function publicLocation(location: string, isNode: IsNode): string {
  const split = splitLocation(location, isNode);
  if (split !== null) return isNode(split.origin) ? split.target : location;
  const plain = cleanedLocation(location);
  return /^[/\\]{2}|^\\/.test(plain) ? oneSlash(plain) : location;
}

/** Whether an origin has a name for its host and no address: a service that people log in at does, and not all nodes do. */
function isNamed(origin: string): boolean {
  const [, host = ''] = /^https?:\/\/(.*?)(?::\d*)?$/.exec(origin) ?? [];
  // Numbers alone, and hexadecimal ones, are addresses to some (WHATWG URL, "ends in a number").
  return (
    host !== '' && !host.startsWith('[') && isIP(host) === 0 && !/(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/.test(host)
  );
}
