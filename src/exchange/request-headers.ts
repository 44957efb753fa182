import type { RequestHead } from './client-side.ts';
import { type HeaderBlock, lineEnd, valueAt, without } from './header-block.ts';
import { isHopByHop, namedInConnection } from './hop-by-hop.ts';

/** What one pass over a request's headers finds, the same for every door. */
export interface RequestFields {
  /** End-to-end headers in the client's order, case and number. */
  readonly kept: HeaderBlock;
  /** `Forwarded` and `X-Forwarded-*` other than those below: for a trusted peer only. */
  readonly forwarding: HeaderBlock;
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  readonly hosts: number;
  readonly host: string;
  /** Declared length of the body, 0 without one, -1 when it is chunked. */
  readonly bodyLength: number;
  /** Headers that `Connection` has removed, in lower case. */
  readonly named: ReadonlySet<string> | null;
  /** The client wants its connection closed after the answer. */
  readonly close: boolean;
  readonly requestId: string | null;
  /** The client reads trailers. */
  readonly trailers: boolean;
  /** The client wants to know what its answer is decided on (`VIEW_HEADER`). */
  readonly asksView: boolean;
  /** Nothing of it concerns this hop but `Host`, `Content-Length` and a plain `Connection`. */
  readonly ordinary: boolean;
  /** One sentence when the request is not to be forwarded at all. */
  readonly fault: string | null;
}

/** First letters of the names that are looked at. */
const LOOKED_AT = new Set([...'cefhkptuxCEFHKPTUX'].map((letter) => letter.charCodeAt(0)));
const WHOLE_NUMBER = /^\d{1,15}$/;

/** Reads the headers of a request; every line must be `Name: value`. */
export function readRequestFields(block: HeaderBlock): RequestFields {
  const found = {
    kept: '',
    forwarding: '',
    forwardedFor: '',
    forwardedProto: '',
    forwardedHost: '',
    hosts: 0,
    host: '',
    bodyLength: 0,
    named: null as Set<string> | null,
    close: false,
    requestId: null as string | null,
    trailers: false,
    asksView: false,
    ordinary: true,
    fault: null as string | null,
  };
  let framings = 0;
  let from = 0;
  for (let at = 0; at < block.length; ) {
    const end = lineEnd(block, at);
    const next = end + 2;
    if (!LOOKED_AT.has(block.charCodeAt(at))) {
      at = next;
      continue;
    }
    const colon = block.indexOf(':', at);
    const name = block.slice(at, colon).toLowerCase();
    let drop = true;
    switch (name) {
      case 'host':
        found.hosts++;
        found.host = valueAt(block, colon, end);
        break;
      case 'content-length': {
        const value = valueAt(block, colon, end);
        framings++;
        if (!WHOLE_NUMBER.test(value)) found.fault = 'Content-Length is not a whole number.';
        found.bodyLength = Number(value);
        break;
      }
      case 'transfer-encoding':
        framings++;
        found.ordinary = false;
        if (valueAt(block, colon, end).toLowerCase() !== 'chunked') {
          found.fault = 'The only transfer coding taken is a single "chunked".';
        }
        found.bodyLength = -1;
        break;
      case 'connection': {
        const value = valueAt(block, colon, end).toLowerCase();
        if (value === 'close') found.close = true;
        else if (value !== 'keep-alive') {
          found.ordinary = false;
          found.named = namedInConnection(value, found.named);
        }
        break;
      }
      case 'expect':
        found.ordinary = false;
        break;
      case 'te':
        found.ordinary = false;
        found.trailers ||= /\btrailers\b/i.test(valueAt(block, colon, end));
        break;
      case 'x-request-id':
        if (found.requestId !== null) found.ordinary = false;
        found.requestId = valueAt(block, colon, end);
        break;
      case 'x-druid-gateway-view':
        found.ordinary = false;
        found.asksView = true;
        break;
      case 'x-forwarded-for': {
        const value = valueAt(block, colon, end);
        found.forwardedFor = found.forwardedFor === '' ? value : `${found.forwardedFor}, ${value}`;
        break;
      }
      case 'x-forwarded-proto':
        found.forwardedProto = valueAt(block, colon, end);
        break;
      case 'x-forwarded-host':
        found.forwardedHost = valueAt(block, colon, end);
        break;
      default:
        if (isHopByHop(name)) found.ordinary = false;
        else if (name === 'forwarded' || name.startsWith('x-forwarded-')) {
          found.forwarding += block.slice(at, next);
        } else drop = false;
    }
    if (drop) {
      if (from < at) found.kept += block.slice(from, at);
      from = next;
    }
    at = next;
  }
  found.kept = from === 0 ? block : found.kept + block.slice(from);
  if (framings > 1) found.fault = 'A request has at most one framing of its body.';
  return found;
}

export interface RequestHeaderPolicy {
  /** The peer may say whom it forwards for. */
  readonly trusted: boolean;
}

export interface ForwardedHead {
  /** For the upstream: without Host and framing. */
  readonly headers: HeaderBlock;
  /** Declared length of the body, 0 without one, -1 when it is chunked. */
  readonly bodyLength: number;
  /** Whose request it is: the peer, or the last one that a trusted peer says it forwards for. */
  readonly onBehalfOf: string;
  readonly asksView: boolean;
}

/**
 * The headers that go upstream: everything the client sent in its order, case and number, less what concerns one
 * hop only, with `X-Forwarded-*`, `Via` and `X-Request-Id` of our own. What a stranger says of whom it forwards
 * for is dropped, not appended to: Druid's TrustedDomainAuthenticator believes the first entry.
 */
export function forwardedHead(head: RequestHead, { trusted }: RequestHeaderPolicy): ForwardedHead {
  const { fields, remoteAddress, httpMinor } = head;
  let headers = trusted ? fields.kept + fields.forwarding : fields.kept;
  if (fields.named !== null) headers = without(headers, fields.named);
  const proto = head.encrypted ? 'https' : 'http';
  const passedOn = trusted && fields.forwardedFor !== '';
  headers += `X-Forwarded-For: ${passedOn ? `${fields.forwardedFor}, ${remoteAddress}` : remoteAddress}\r\n`;
  headers += `X-Forwarded-Proto: ${trusted && fields.forwardedProto !== '' ? fields.forwardedProto : proto}\r\n`;
  const host = trusted && fields.forwardedHost !== '' ? fields.forwardedHost : fields.host;
  if (host !== '') headers += `X-Forwarded-Host: ${host}\r\n`;
  headers += `Via: 1.${httpMinor} druid-gateway\r\nX-Request-Id: ${head.id}\r\n`;
  return {
    headers,
    bodyLength: fields.bodyLength,
    onBehalfOf: passedOn ? lastOf(fields.forwardedFor) : remoteAddress,
    asksView: fields.asksView,
  };
}

/** Why the request cannot be taken at all, in one sentence, or null. */
export function requestFault({ fields, httpMinor }: RequestHead): string | null {
  if (fields.fault !== null) return fields.fault;
  const oneHost = fields.hosts === 1 || (fields.hosts === 0 && httpMinor === 0);
  return oneHost ? null : 'A request has exactly one Host header.';
}

function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}
