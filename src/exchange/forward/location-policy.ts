import { isIP } from 'node:net';
import { cleanedLocation, type IsNode, oneSlash, splitLocation } from '../own-answers/redirect.ts';
import type { RedirectTarget } from './verdict.ts';

/** Where a `Location` points; null if it has no origin and therefore stays within the gateway. */
export function redirectTargetOf(location: string, target: string, isNode: IsNode): RedirectTarget | null {
  const split = splitLocation(location, isNode);
  if (split === null) return null;
  const { origin } = split;
  return { known: isNode(origin), sameTarget: split.target === target, named: isNamed(origin) };
}

/**
 * The `Location` that the client sees. It never has a node's address, and one without a scheme never leads away from
 * the gateway. Jetty 12 redirects to a path alone. To a browser, a path that begins with two slashes, or with a slash
 * and a backslash, names a host.
 */
export function publicLocation(location: string, isNode: IsNode): string {
  const split = splitLocation(location, isNode);
  if (split !== null) return isNode(split.origin) ? split.target : location;
  const plain = cleanedLocation(location);
  return /^[/\\]{2}|^\\/.test(plain) ? oneSlash(plain) : location;
}

/** Whether an origin's host is a name and not an address. Login services have names; some nodes have none. */
function isNamed(origin: string): boolean {
  const [, host = ''] = /^https?:\/\/(.*?)(?::\d*)?$/.exec(origin) ?? [];
  // Some readers take plain or hexadecimal numbers for addresses (WHATWG URL, "ends in a number").
  return (
    host !== '' && !host.startsWith('[') && isIP(host) === 0 && !/(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/.test(host)
  );
}
