import { gatewayError } from '../errors/gateway-error.ts';
import { headerValue } from '../http/header-block.ts';
import type { Route } from '../routing/route.ts';
import type { ClientOrigin } from './client-origin.ts';
import type { CorsPolicy } from './cors.ts';
import type { RequestHead } from './ports/client.ts';

/** A page of another origin asks for what could change something, and nobody has allowed it. */
export const CROSS_SITE = gatewayError('cross_site', {
  message: 'A page of another site may not ask for this; cors.origins of the gateway can allow it.',
});

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const ORIGIN = /^(https?):\/\/([^/?#@,\s]+)$/i;
/** What forms can send, and so can a script without asking first (Fetch 2.2.2, CORS-safelisted request-header). */
const OF_FORMS: ReadonlySet<string> = new Set([
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
]);

/**
 * Whether a request is one that a page of another site has a browser send, with the credentials that the browser has
 * for us, and that could change something. Reads pass, since such a page does not get to see their answer. So do
 * queries that a browser sends only after a preflight, which the node has answered: they change nothing, and whether
 * that page may ask is the node's word. With `cors` configured that is nobody's but the configuration's.
 */
export function isRefusedCrossSite(
  head: RequestHead,
  origin: ClientOrigin,
  route: Route,
  cors: CorsPolicy | null,
): boolean {
  const { fields, method } = head;
  // Nothing but a browser says either.
  if ((fields.origin === null && fields.fetchSite === null) || SAFE.has(method)) return false;
  if (!isForeign(head, origin)) return false;
  if (cors !== null) return !cors.allows(fields.origin, method);
  return !(route.kind === 'forward' && route.class === 'query' && hadPreflight(head));
}

/**
 * Whether it comes from a page of another origin. What the browser says of its own address bar (`Sec-Fetch-Site`, W3C
 * Fetch Metadata 2.5) comes first: it knows by which name it called us, however many names a balancer makes of it.
 * Browsers say it of https and localhost only; otherwise `Origin` (RFC 6454 7) must have the name that we were called.
 */
function isForeign({ fields }: RequestHead, called: ClientOrigin): boolean {
  const { origin, fetchSite } = fields;
  if (fetchSite === 'same-origin' || fetchSite === 'none') return false;
  if (fetchSite?.includes('cross-site')) return true;
  return origin === null ? fetchSite === 'same-site' : !isOurs(origin, called);
}

/** `null`, of a sandbox or behind a redirect, is nobody's. */
function isOurs(origin: string, { host, proto }: ClientOrigin): boolean {
  const [, scheme = '', authority = ''] = ORIGIN.exec(origin) ?? [];
  if (authority === '') return false;
  // Who ends TLS in front of us may say nothing of it; but a page that came in the clear is none of an https site.
  if (scheme.toLowerCase() === 'http' && proto === 'https') return false;
  const port = scheme.toLowerCase() === 'http' ? /:(?:80)?$/ : /:(?:443)?$/;
  return authority.toLowerCase().replace(port, '') === host.toLowerCase().replace(port, '');
}

/** Its content type is one that a browser asks about first. */
function hadPreflight({ block }: RequestHead): boolean {
  const type = headerValue(block, 'content-type') ?? '';
  return !OF_FORMS.has((type.split(';')[0] ?? '').trim().toLowerCase());
}
