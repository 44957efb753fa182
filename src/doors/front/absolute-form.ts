import type { IncomingMessage } from 'node:http';

/**
 * A name or an address as a Host header has it, with a port or without. RFC 3986 also allows user information, escapes
 * and sub-delimiters, none of which stand in the name of a gateway.
 */
const ABSOLUTE = /^https?:\/\/((?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d{0,5})?)(?=[/?]|$)/i;

const SLASH = 47;

/** What the requests in absolute-form were for. */
const authorities = new WeakMap<IncomingMessage, string>();

/**
 * RFC 9112 3.2.2: a target that is a whole URL MUST be accepted, and its authority counts instead of the Host header,
 * which is ignored. From here on the request has the URL's path and query for its target, as everybody else's
 * does; without a path that is `/`, and for OPTIONS `*` (3.2.4). What is no http or https URL, or has a user in it, stays
 * as it is, for the path table to refuse.
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

/** The authority of a request that came in absolute-form; undefined for any other. */
export function authorityOf(request: IncomingMessage): string | undefined {
  return authorities.get(request);
}
