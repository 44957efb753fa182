import { type HeaderBlock, lineEnd, valueAt } from '../http/header-block.ts';
import { isBelow } from '../routing/base-path.ts';
import { cleanedLocation, splitLocation } from './own-answers/redirect.ts';

/** What of a request decides where the places in its answer are. */
export interface AskedBy {
  /** The target as the client sent it, with the base path. */
  readonly target: string;
  /** The host by which the client called the gateway. */
  readonly host: string;
}

/** Whether a block has a header that names a place. Most answers have none. */
const NAMES_PLACE = /^(?:(?:content-)?location|set-cookie):/im;
const LOCATION = /^(?:content-)?location$/i;
const SET_COOKIE = /^set-cookie$/i;
const WITH_SCHEME = /^[a-z][a-z\d+.-]*:/i;
const COOKIE_PATH = /(;[\t ]*path[\t ]*=[\t ]*)(?=\/)/gi;
/** A cookie of this name has the path `/`, or a browser refuses it (RFC 6265bis 4.1.3.2). */
const HOST_COOKIE = /^__host-/i;

/**
 * Returns the headers of an answer with the base path in them, which neither the nodes nor the gateway's own answers
 * know: in `Location` and `Content-Location`, and in the path of cookies, so that a browser sends those of one cluster
 * to no other. Precondition: the base path is not empty.
 */
export function withBasePath(headers: HeaderBlock, basePath: string, asked: AskedBy): HeaderBlock {
  if (!NAMES_PLACE.test(headers)) return headers;
  let block = '';
  for (let at = 0; at < headers.length; ) {
    const end = lineEnd(headers, at);
    const colon = headers.indexOf(':', at);
    const name = headers.slice(at, colon);
    if (LOCATION.test(name)) {
      block += `${name}: ${locationBelow(valueAt(headers, colon, end), basePath, asked)}\r\n`;
    } else if (SET_COOKIE.test(name)) {
      block += `${name}: ${cookieBelow(valueAt(headers, colon, end), basePath)}\r\n`;
    } else block += headers.slice(at, end + 2);
    at = end + 2;
  }
  return block;
}

/** The path of a cookie. Without one, a browser takes that of the request, which has the base path. */
function cookieBelow(cookie: string, basePath: string): string {
  return HOST_COOKIE.test(cookie) ? cookie : cookie.replace(COOKIE_PATH, `$1${basePath}`);
}

/**
 * A path from the root gets the base path, and so does the URL of the gateway itself, which a node knows from
 * `X-Forwarded-Host` (Jetty's `ForwardedRequestCustomizer`), unless it has it: then somebody told the node. Relative
 * ones are as they were, as long as they lead to where they would without a base path.
 */
function locationBelow(location: string, basePath: string, asked: AskedBy): string {
  const plain = cleanedLocation(location);
  if (WITH_SCHEME.test(plain)) {
    const split = splitLocation(plain);
    if (split === null || !isSameHost(split.origin, asked.host)) return location;
    const { origin, target } = split;
    if (isBelow(basePath, resolved(target, '/') ?? '')) return location;
    return withoutDefaultPort(origin) + leadingBelow(basePath + target, target, '/', basePath);
  }
  if (plain.startsWith('/')) return leadingBelow(basePath + plain, plain, asked.target, basePath);
  return plain === '' ? location : leadingBelow(location, plain, asked.target, basePath);
}

/**
 * Returns `shown` if it leads to below the base path where `plain` leads without one, else the place itself: dot
 * segments end at the root, so they lead from below a base path to somewhere else.
 */
function leadingBelow(shown: string, plain: string, target: string, basePath: string): string {
  const from = isBelow(basePath, target) ? target.slice(basePath.length) : target;
  const led = resolved(plain, from);
  return led === null || resolved(shown, target) === basePath + led ? shown : basePath + led;
}

/** Where a reference to the same host leads from a target: path, query and fragment; null if it is none. */
function resolved(reference: string, target: string): string | null {
  const base = `http://gateway${target}`;
  if (!URL.canParse(reference, base)) return null;
  const { pathname, search, hash } = new URL(reference, base);
  return pathname + search + hash;
}

/** Whether an origin has this host. Who ends TLS in front may not tell, so the scheme is no matter. */
function isSameHost(origin: string, host: string): boolean {
  return withoutPort(origin.replace(/^https?:\/\//, '')) === withoutPort(host.toLowerCase());
}

function withoutPort(authority: string): string {
  return authority.replace(/:(?:80|443)?$/, '');
}

function withoutDefaultPort(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).origin : origin;
}
