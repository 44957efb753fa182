import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type GatewayError, gatewayError } from '../errors/gateway-error.ts';

export interface GuardOptions {
  /** Host names that the listener is called by, besides IP addresses and localhost. */
  readonly allowedHosts?: readonly string[];
  /** What actions must show as `Authorization: Bearer TOKEN`; null where they need show nothing. */
  readonly token?: string | null;
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

/** Hooks that refuse requests before anything of them is looked at. */
export interface Guard {
  /** For what is no secret to operators, and none of a page's business. */
  readonly read: Hook;
  /** For what changes something. */
  readonly action: Hook;
}

const HOST_REFUSED = gatewayError('host_not_allowed');
const CROSS_SITE = gatewayError('cross_site');
const TOKEN_NEEDED = gatewayError('token_required');

/**
 * Who may read and act. A page can make an operator's browser ask any address; the browser then says so in
 * `Sec-Fetch-Site` and `Origin`. Where the page's own name has come to lead here (DNS rebinding), it says nothing but
 * that name, in `Host`.
 */
export function createGuard({ allowedHosts = [], token = null }: GuardOptions = {}): Guard {
  const names = new Set(['localhost', ...allowedHosts.map(plainName)]);
  const wanted = token === null ? null : sha256(token);

  function refusal({ headers }: FastifyRequest): GatewayError | null {
    // Without one it is no browser: HTTP/1.0.
    if (headers.host !== undefined && !isOurs(headers.host, names)) return HOST_REFUSED;
    return fromPage(headers) ? CROSS_SITE : null;
  }

  return {
    async read(request, reply) {
      const error = refusal(request);
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

/** No page has an address for its name, unless it came from here. */
function isOurs(host: string, names: ReadonlySet<string>): boolean {
  const [, bracketed, bare = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  return isIP(bracketed ?? bare) !== 0 || names.has(plainName(bare));
}

/** Names are the same in any case, and with a dot at the end. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function fromPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return headers.origin !== undefined || (site !== undefined && site !== 'same-origin' && site !== 'none');
}

/** Compares digests, whose length and beginning say nothing about the token. */
function shows({ authorization = '' }: IncomingHttpHeaders, wanted: Buffer): boolean {
  const [, shown] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  return shown !== undefined && timingSafeEqual(sha256(shown), wanted);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
