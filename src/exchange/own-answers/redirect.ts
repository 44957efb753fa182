import { parseOrigin } from '../../net/origin.ts';
import type { Accounting } from '../accounting.ts';
import type { ClientSide } from '../ports/client.ts';
import { answer } from './answer.ts';

/** Whether an origin, in lower case, is a node of the cluster. */
export type IsNode = (origin: string) => boolean;

/** As browsers take a URL apart (WHATWG URL): a backslash is a slash, and any number of them begins the authority. */
const WITH_ORIGIN = /^(https?):[/\\]*([^/\\?#]*)(.*)$/is;
/** What browsers leave out of a URL, wherever it is. */
const LEFT_OUT = /[\t\r\n]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: browsers cut these off a URL's ends.
const AT_ENDS = /^[\x00-\x20]+|[\x00-\x20]+$/g;
/** The same without a scheme: an authority to RFC 3986, a path that was joined carelessly to those who send it. */
const NETWORK_PATH = /^[/\\]{2,}([^/\\?#]*)(.*)$/s;
const SLASHES = /^[/\\]+/;

/** A `Location`, taken apart. */
export interface SplitLocation {
  readonly origin: string;
  /** Path, query and fragment. */
  readonly target: string;
}

/**
 * Sends the client to the node itself: 307, so that method and body are repeated, with the client's own bytes as
 * path and query. The request's body is not read.
 */
export function redirect(client: ClientSide, account: Accounting, origin: string, target: string): void {
  account.redirected = true;
  answer(client, account, {
    status: 307,
    body: '',
    headers: ['Location', origin + target],
  });
}

/** Null for what has no http(s) scheme, unless it names a node without one. */
export function splitLocation(location: string, isNode: IsNode = () => false): SplitLocation | null {
  const plain = cleanedLocation(location);
  const [, scheme = '', authority = '', rest = ''] = WITH_ORIGIN.exec(plain) ?? [];
  if (scheme !== '') return { origin: originOf(scheme, authority), target: oneSlash(rest) };
  const [, host = '', path = ''] = NETWORK_PATH.exec(plain) ?? [];
  const origin = ['http', 'https'].map((each) => originOf(each, host)).find(isNode);
  return origin === undefined ? null : { origin, target: oneSlash(path) };
}

/** As nodes are known by, if it can be one. */
function originOf(scheme: string, authority: string): string {
  const origin = `${scheme}://${authority.slice(authority.lastIndexOf('@') + 1)}`.toLowerCase();
  return parseOrigin(origin) ?? origin;
}

/** Without what browsers leave out. */
export function cleanedLocation(location: string): string {
  return location.replace(LEFT_OUT, '').replace(AT_ENDS, '');
}

/** What follows an origin, as a path that no reader takes for a host. */
export function oneSlash(rest: string): string {
  return `/${rest.replace(SLASHES, '')}`;
}
