import { gatewayError } from '../errors/gateway-error.ts';
import { headerValue } from '../http/header-block.ts';
import type { Route } from '../routing/route.ts';
import type { CorsPolicy } from './cors.ts';
import type { RequestHead } from './ports/client.ts';
import type { ClientOrigin } from './ports/client-origin.ts';

/** The error for a page of another origin whose request could change something and is not allowed. */
export const CROSS_SITE = gatewayError('cross_site', {
  message: 'A page of another site may not ask for this; cors.origins of the gateway can allow it.',
});

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const ORIGIN = /^(https?):\/\/([^/?#@,\s]+)$/i;
/**
 * Content types that a form can send. A script can send them without a preflight too (Fetch 2.2.2, CORS-safelisted
 * request-header).
 */
const OF_FORMS: ReadonlySet<string> = new Set([
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
]);

/**
 * Whether to refuse a request because a page of another site makes the browser send it, with the browser's
 * credentials for us, and it could change something. Reads pass: the page cannot see their answer. Queries that need
 * a preflight also pass: they change nothing, and the node's answer to the preflight has allowed the page. With
 * `cors` configured, the configuration alone decides.
 */
export function isRefusedCrossSite(
  head: RequestHead,
  origin: ClientOrigin,
  route: Route,
  cors: CorsPolicy | null,
): boolean {
  const { fields, method } = head;
  // Only browsers send either header.
  if ((fields.origin === null && fields.fetchSite === null) || SAFE.has(method)) return false;
  if (!isForeign(head, origin)) return false;
  if (cors !== null) return !cors.allows(fields.origin, method);
  return !(route.kind === 'forward' && route.class === 'query' && hadPreflight(head));
}

/**
 * Whether a page of another origin sent the request. `Sec-Fetch-Site` (W3C Fetch Metadata 2.5) comes first: the
 * browser knows the name by which it called us, whatever a balancer makes of that name. Browsers send it only for
 * https and localhost. Without it, `Origin` (RFC 6454 7) must have the name by which we were called.
 */
function isForeign({ fields }: RequestHead, called: ClientOrigin): boolean {
  const { origin, fetchSite } = fields;
  if (fetchSite === 'same-origin' || fetchSite === 'none') return false;
  if (fetchSite?.includes('cross-site')) return true;
  return origin === null ? fetchSite === 'same-site' : !isOurs(origin, called);
}

/** Whether the origin is ours. `null`, sent from a sandbox or after a redirect, never is. */
function isOurs(origin: string, { host, proto }: ClientOrigin): boolean {
  const [, scheme = '', authority = ''] = ORIGIN.exec(origin) ?? [];
  if (authority === '') return false;
  // A proxy that ends TLS in front of us may not report it. But a page that came over http never belongs to an https
  // site.
  if (scheme.toLowerCase() === 'http' && proto === 'https') return false;
  const port = scheme.toLowerCase() === 'http' ? /:(?:80)?$/ : /:(?:443)?$/;
  return authority.toLowerCase().replace(port, '') === host.toLowerCase().replace(port, '');
}

/** Whether its content type made the browser send a preflight first. */
function hadPreflight({ block }: RequestHead): boolean {
  const type = headerValue(block, 'content-type') ?? '';
  return !OF_FORMS.has((type.split(';')[0] ?? '').trim().toLowerCase());
}
