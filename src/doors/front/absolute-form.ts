import type { IncomingMessage } from 'node:http';

/**
 * A name or an address as in a Host header, with or without a port. RFC 3986 also allows user information, escapes
 * and sub-delimiters; no gateway's name contains them.
 */
const ABSOLUTE = /^https?:\/\/((?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d{0,5})?)(?=[/?]|$)/i;

const SLASH = 47;

/** The authority of each request that came in absolute-form. */
const authorities = new WeakMap<IncomingMessage, string>();

/**
 * Rewrites a target in absolute-form to origin-form. RFC 9112 3.2.2: a target that is a whole URL MUST be accepted,
 * and its authority replaces the Host header, which is ignored. The request's target becomes the URL's path and
 * query; without a path it is `/`, or `*` for OPTIONS (3.2.4). A URL that is not http or https, or that names a user,
 * is left for the path table to refuse.
 */
export function takeAbsoluteForm(request: IncomingMessage): void {
  const { url = '' } = request;
  if (url.charCodeAt(0) === SLASH) return;
  const [origin, authority] = ABSOLUTE.exec(url) ?? [];
  if (origin === undefined || authority === undefined) return;
  authorities.set(request, authority);
  const rest = url.slice(origin.length);
  if (rest === '') request.url = request.method === 'OPTIONS' ? '*' : '/';
  else request.url = rest.startsWith('/') ? rest : `/${rest}`;
}

/** Returns the authority of a request that came in absolute-form; undefined for any other. */
export function authorityOf(request: IncomingMessage): string | undefined {
  return authorities.get(request);
}
