import type { UpstreamNode } from '../../cluster/node.ts';
import { parseOrigin } from '../../net/origin.ts';
import type { Accounting } from '../accounting.ts';
import type { ClientSide } from '../ports/client.ts';
import { answer } from './answer.ts';

/** Whether an origin, in lower case, belongs to a node of the cluster. */
export type IsNode = (origin: string) => boolean;

/**
 * A URL as browsers parse it (WHATWG URL): a backslash counts as a slash, and any number of them begins the
 * authority.
 */
const WITH_ORIGIN = /^(https?):[/\\]*([^/\\?#]*)(.*)$/is;
/** Characters that browsers remove from anywhere in a URL. */
const LEFT_OUT = /[\t\r\n]+/g;
/** The last of the characters, from U+0000, that browsers cut off the ends of a URL. */
const SPACE = 0x20;
/**
 * The same without a scheme. RFC 3986 calls this an authority; the nodes that send it have joined a path carelessly.
 */
const NETWORK_PATH = /^[/\\]{2,}([^/\\?#]*)(.*)$/s;
const SLASHES = /^[/\\]+/;

/** A `Location`, taken apart. */
export interface SplitLocation {
  readonly origin: string;
  /** Path, query and fragment. */
  readonly target: string;
}

/** Where a client is sent. */
export interface Redirection {
  readonly node: UpstreamNode;
  /** The origin by which the client reaches it. */
  readonly origin: string;
}

/**
 * Redirects the client to the node itself. 307 makes it repeat method and body. Path and query are the client's own
 * bytes. The request's body is not read.
 */
export function redirect(
  client: ClientSide,
  account: Accounting,
  { node, origin }: Redirection,
  target: string,
): void {
  account.upstream = node.hostAndPort;
  account.redirected = true;
  answer(client, account, {
    status: 307,
    body: '',
    headers: ['Location', origin + target],
  });
}

/** Splits a `Location`. Returns null if it has no http(s) scheme, unless its host names a node. */
export function splitLocation(location: string, isNode: IsNode = () => false): SplitLocation | null {
  const plain = cleanedLocation(location);
  const [, scheme = '', authority = '', rest = ''] = WITH_ORIGIN.exec(plain) ?? [];
  if (scheme !== '') return { origin: originOf(scheme, authority), target: oneSlash(rest) };
  const [, host = '', path = ''] = NETWORK_PATH.exec(plain) ?? [];
  const origin = ['http', 'https'].map((each) => originOf(each, host)).find(isNode);
  return origin === undefined ? null : { origin, target: oneSlash(path) };
}

/** The origin in the spelling of node origins, if it can be parsed; otherwise in lower case. */
function originOf(scheme: string, authority: string): string {
  const origin = `${scheme}://${authority.slice(authority.lastIndexOf('@') + 1)}`.toLowerCase();
  return parseOrigin(origin) ?? origin;
}

/**
 * The location without the characters that browsers remove. The ends are looked for one character at a time: a regular
 * expression takes the square of their number for many spaces before another character.
 */
export function cleanedLocation(location: string): string {
  const text = location.replace(LEFT_OUT, '');
  let from = 0;
  let to = text.length;
  while (from < to && text.charCodeAt(from) <= SPACE) from++;
  while (to > from && text.charCodeAt(to - 1) <= SPACE) to--;
  return text.slice(from, to);
}

/** The rest of a URL after its origin, as a path that no reader takes for a host. */
export function oneSlash(rest: string): string {
  return `/${rest.replace(SLASHES, '')}`;
}
