import type { RequestHead } from './client-side.ts';

/** RFC 9110 7.6.1, with the names that older clients and proxies still send. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** End-to-end fields that a `Connection` header cannot have removed: without them the message means another. */
const NOT_FOR_CONNECTION =
  /^(?:host|authorization|cookie|set-cookie|www-authenticate|cache-control|expect|date|location|etag|accept.*|content-.*|x-druid-.*)$/;

export interface RequestHeaderPolicy {
  /** The peer may say whom it forwards for. */
  readonly trusted: boolean;
}

export interface ForwardedHead {
  /** For the upstream: without Host and framing. */
  readonly headers: string[];
  /** Declared length of the body, 0 without one, -1 when it is chunked. */
  readonly bodyLength: number;
  /** Whose request it is: the peer, or the last one that a trusted peer says it forwards for. */
  readonly onBehalfOf: string;
  /** The client wants to know what its answer is decided on (`VIEW_HEADER`). */
  readonly asksView: boolean;
  /** One sentence when the request is not to be forwarded at all. */
  readonly fault: string | null;
}

/**
 * The headers that go upstream: everything the client sent in its order, case and number, less what concerns one
 * hop only, with `X-Forwarded-*`, `Via` and `X-Request-Id` of our own. What a stranger says of whom it forwards
 * for is dropped, not appended to: Druid's TrustedDomainAuthenticator believes the first entry.
 */
export function forwardedHead(head: RequestHead, policy: RequestHeaderPolicy): ForwardedHead {
  const raw = head.rawHeaders;
  const headers: string[] = [];
  let named: Set<string> | null = null;
  let hosts = 0;
  let host = '';
  let bodyLength = 0;
  let fault: string | null = null;
  let forwardedFor = '';
  let forwardedProto = '';
  let forwardedHost = '';
  let asksView = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    const lower = name.toLowerCase();
    switch (lower) {
      case 'host':
        hosts++;
        host = value;
        continue;
      case 'content-length':
        if (bodyLength !== 0) fault = 'A request has at most one framing of its body.';
        bodyLength = Number(value);
        continue;
      case 'transfer-encoding':
        if (bodyLength !== 0 || value.toLowerCase() !== 'chunked') {
          fault = 'The only transfer coding taken is a single "chunked".';
        }
        bodyLength = -1;
        continue;
      case 'connection':
        named = connectionNames(value, named);
        continue;
      case 'expect':
      case 'x-request-id':
        continue;
      case 'x-druid-gateway-view':
        asksView = true;
        continue;
      case 'x-forwarded-for':
        forwardedFor = forwardedFor === '' ? value : `${forwardedFor}, ${value}`;
        continue;
      case 'x-forwarded-proto':
        forwardedProto = value;
        continue;
      case 'x-forwarded-host':
        forwardedHost = value;
        continue;
      default:
        if (HOP_BY_HOP.has(lower)) continue;
        if (!policy.trusted && (lower === 'forwarded' || lower.startsWith('x-forwarded-'))) continue;
        headers.push(name, value);
    }
  }
  if (hosts > 1 || (hosts === 0 && head.httpMinor > 0)) fault = 'A request has exactly one Host header.';
  const kept = named === null ? headers : without(headers, named);
  const { trusted } = policy;
  kept.push(
    'X-Forwarded-For',
    trusted && forwardedFor !== '' ? `${forwardedFor}, ${head.remoteAddress}` : head.remoteAddress,
    'X-Forwarded-Proto',
    trusted && forwardedProto !== '' ? forwardedProto : head.encrypted ? 'https' : 'http',
  );
  const originalHost = trusted && forwardedHost !== '' ? forwardedHost : host;
  if (originalHost !== '') kept.push('X-Forwarded-Host', originalHost);
  kept.push('Via', head.httpMinor === 0 ? '1.0 druid-gateway' : '1.1 druid-gateway', 'X-Request-Id', head.id);
  const onBehalfOf = trusted && forwardedFor !== '' ? lastOf(forwardedFor) : head.remoteAddress;
  return { headers: kept, bodyLength, onBehalfOf, asksView, fault };
}

function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}

/** Of what an answer is forwarded to, as far as its framing depends on it. */
export interface AnswerContext {
  readonly status: number;
  /** The client asked with HEAD: no body follows. */
  readonly bodiless: boolean;
  readonly httpMinor: number;
  /** Path and query of a `Location` that names a Druid node, or the value as it is. */
  readonly rewriteLocation: (location: string) => string;
}

export interface AnswerHead {
  readonly headers: string[];
  readonly hasDate: boolean;
  /** The answer goes to the client chunked, so that it can have trailers. */
  readonly chunked: boolean;
  readonly queryId: string | null;
  /** A trailer is to say whether the answer is whole. */
  readonly announcesComplete: boolean;
}

/** The headers of a relayed answer: the upstream's, less what concerns one hop, framed for this client. */
export function answerHead(raw: readonly string[], context: AnswerContext): AnswerHead {
  const headers: string[] = [];
  let named: Set<string> | null = null;
  let hasDate = false;
  let hasLength = false;
  let trailer: string | null = null;
  let queryId: string | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    let value = raw[i + 1] ?? '';
    const lower = name.toLowerCase();
    switch (lower) {
      case 'date':
        if (hasDate) continue;
        hasDate = true;
        break;
      case 'content-length':
        // RFC 9110 8.6: no Content-Length with 204; a repeated one is one too many.
        if (hasLength || context.status === 204) continue;
        hasLength = true;
        break;
      case 'trailer':
        trailer = trailer === null ? value : `${trailer}, ${value}`;
        continue;
      case 'connection':
        named = connectionNames(value, named);
        continue;
      case 'location':
      case 'content-location':
        value = context.rewriteLocation(value);
        break;
      case 'x-druid-gateway-view':
        continue;
      case 'x-druid-query-id':
        queryId = value;
        break;
      case 'x-druid-sql-query-id':
        queryId ??= value;
        break;
      default:
        if (HOP_BY_HOP.has(lower)) continue;
    }
    headers.push(name, value);
  }
  const kept = named === null ? headers : without(headers, named);
  const hasBody = !context.bodiless && context.status !== 204 && context.status !== 304;
  const chunked = hasBody && !hasLength && context.httpMinor > 0;
  if (chunked) {
    if (trailer !== null) kept.push('Trailer', trailer);
    kept.push('Transfer-Encoding', 'chunked');
  }
  // A trailer can only follow chunks.
  const announcesComplete = hasBody && trailer !== null && !hasLength && COMPLETE.test(trailer);
  return { headers: kept, hasDate, chunked, queryId, announcesComplete };
}

const COMPLETE = /\bx-druid-response-complete\b/i;

export interface AnswerTrailers {
  readonly trailers: string[];
  /**
   * Druid says that its answer is not whole (QueryResultPusher: a query that failed after its first row), or does not
   * say that it is, although it was to.
   */
  readonly incomplete: boolean;
}

/** Trailers as they go on to the client; an error message with line breaks becomes one line. */
export function answerTrailers(raw: readonly string[], announced = false): AnswerTrailers {
  const trailers: string[] = [];
  let incomplete = false;
  let complete = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'x-error-message') incomplete = true;
    if (lower === 'x-druid-response-complete') {
      if (value.trim().toLowerCase() === 'true') complete = true;
      else incomplete = true;
    }
    if (HOP_BY_HOP.has(lower) || lower === 'content-length' || lower === 'host') continue;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a header line.
    trailers.push(name, value.replace(/[\x00-\x08\x0a-\x1f\x7f]+/g, ' '));
  }
  return { trailers, incomplete: incomplete || (announced && !complete) };
}

/** The value of a header, or null; of several, the first. */
export function headerValue(raw: readonly string[], lowerName: string): string | null {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return raw[i + 1] ?? '';
  }
  return null;
}

/** A copy of a flat header list without the headers in `names` (lower case). */
export function without(flat: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] ?? '';
    if (!names.has(name.toLowerCase())) kept.push(name, flat[i + 1] ?? '');
  }
  return kept;
}

function connectionNames(value: string, names: Set<string> | null): Set<string> | null {
  let found = names;
  for (const token of value.split(',')) {
    const name = token.trim().toLowerCase();
    if (name === '' || name === 'close' || name === 'keep-alive' || NOT_FOR_CONNECTION.test(name)) continue;
    found ??= new Set();
    found.add(name);
  }
  return found;
}
