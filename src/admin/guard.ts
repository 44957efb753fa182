import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type GatewayError, gatewayError } from '../errors/gateway-error.ts';

export interface GuardOptions {
  /** Host names of the listener, besides IP addresses and localhost. */
  readonly allowedHosts?: readonly string[];
  /** Token that actions require as `Authorization: Bearer TOKEN`; null if none is required. */
  readonly token?: string | null;
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

/** Hooks that refuse requests before anything else reads them. */
export interface Guard {
  /** For data that operators and our own pages may see, but other web pages may not. */
  readonly read: Hook;
  /** For our own page: like `read`, and a link on another site may open it. */
  readonly page: Hook;
  /** For requests that change something. */
  readonly action: Hook;
}

const HOST_REFUSED = gatewayError('host_not_allowed');
const CROSS_SITE = gatewayError('cross_site');
const TOKEN_NEEDED = gatewayError('token_required');

/**
 * Creates the hooks that decide who may read and act. A web page can make an operator's browser call any address;
 * the browser then says so in `Sec-Fetch-Site` and `Origin`. If the page's own name resolves to this listener (DNS
 * rebinding), both say that the page is ours, and only the name in `Host` shows that it is not.
 */
export function createGuard({ allowedHosts = [], token = null }: GuardOptions = {}): Guard {
  const names = new Set(['localhost', ...allowedHosts.map(plainName)]);
  const wanted = token === null ? null : sha256(token);

  function refusal(request: FastifyRequest, isAllowed = isNoOtherPage): GatewayError | null {
    const { host } = request.headers;
    // No `Host` means HTTP/1.0, which no browser uses.
    if (host !== undefined && !isOurs(host, names)) return HOST_REFUSED;
    return isAllowed(request) ? null : CROSS_SITE;
  }

  return {
    async read(request, reply) {
      const error = refusal(request);
      return error === null ? undefined : refuse(request, reply, error);
    },
    async page(request, reply) {
      const error = refusal(request, (asked) => isNoOtherPage(asked) || isOpened(asked));
      return error === null ? undefined : refuse(request, reply, error);
    },
    async action(request, reply) {
      const error = refusal(request);
      if (error !== null) return refuse(request, reply, error);
      if (wanted === null || shows(request.headers, wanted)) return undefined;
      return refuse(request, reply.header('www-authenticate', 'Bearer'), TOKEN_NEEDED);
    },
  };
}

function refuse(request: FastifyRequest, reply: FastifyReply, error: GatewayError): FastifyReply {
  return reply.code(error.status).type('application/json').send(errorBody(error, request.id));
}

/** A page whose host is an IP address was served from here. */
function isOurs(host: string, names: ReadonlySet<string>): boolean {
  const [, bracketed, bare = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  return isIP(bracketed ?? bare) !== 0 || names.has(plainName(bare));
}

/** Host names are equal in any case, and with or without a final dot. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/**
 * Whether no browser sent this on behalf of a page, or only of a page of this listener: same scheme, host and port. A
 * browser sends `Origin` with every POST, and a page can forge neither field.
 */
function isNoOtherPage({ headers, protocol }: FastifyRequest): boolean {
  const { host, origin, 'sec-fetch-site': site } = headers;
  if (origin === undefined) return site === undefined || site === 'same-origin' || site === 'none';
  return site === 'same-origin' && host !== undefined && origin === `${protocol}://${host}`;
}

/** Whether a person follows a link into a tab of its own. The page with the link cannot read what the tab shows. */
function isOpened({ method, headers }: FastifyRequest): boolean {
  return (
    method === 'GET' &&
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

/** Compares digests, so timing reveals neither the length nor the beginning of the token. */
function shows({ authorization = '' }: IncomingHttpHeaders, wanted: Buffer): boolean {
  const [, shown] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  return shown !== undefined && timingSafeEqual(sha256(shown), wanted);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
