import { FirstLetters } from './first-letters.ts';
import { type HeaderBlock, lineEnd, valueAt } from './header-block.ts';
import { lowerName } from './header-names.ts';
import { isHopByHop, namedInConnection } from './hop-by-hop.ts';
import { isHostField } from './host-field.ts';
import { wholeNumber } from './whole-number.ts';

/** The result of one pass over a request's headers, the same for every door. */
export interface RequestFields {
  /** End-to-end headers; the client's order, case and duplicates are kept. */
  readonly kept: HeaderBlock;
  /** `X-Forwarded-*` other than those below; forwarded only for a trusted peer. */
  readonly forwarding: HeaderBlock;
  /** All lines of the header, joined into one list. The same holds for the next three. */
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  readonly forwarded: string;
  readonly hosts: number;
  readonly host: string;
  /** What a browser says about the requesting page: `Origin` and `Sec-Fetch-Site`; null if absent. */
  readonly origin: string | null;
  readonly fetchSite: string | null;
  /** Declared length of the body in bytes, 0 without a body, -1 if chunked. */
  readonly bodyLength: number;
  /** Headers that `Connection` removes, in lower case. */
  readonly named: ReadonlySet<string> | null;
  /** True if the client wants its connection closed after the answer. */
  readonly close: boolean;
  readonly requestId: string | null;
  /** `traceparent` as it came, several as one list; null if absent. */
  readonly traceParent: string | null;
  /** True if the client reads trailers. */
  readonly trailers: boolean;
  /** True if the client asks for the view that its answer is decided on (`VIEW_HEADER`). */
  readonly asksView: boolean;
  /** True if only `Host`, `Content-Length` and a plain `Connection` concern this hop. */
  readonly ordinary: boolean;
  /** One sentence if the request must not be forwarded, otherwise null. */
  readonly fault: string | null;
}

const INSPECTED = new FirstLetters('cefhkopstux');

const HOST_FAULT = 'The Host header is no host with an optional port.';

/**
 * Names that mean something to this gateway. With `_` in place of `-` a name differs here, but not for a server
 * that passes headers on as environment variables (RFC 3875 4.1.18).
 */
const OURS = /^(?:host|content-length|expect|forwarded|x-forwarded-.*|x-request-id|x-druid-gateway-.*)$/;

function shadowsOurs(lowerName: string): boolean {
  const meant = lowerName.replaceAll('_', '-');
  return OURS.test(meant) || isHopByHop(meant);
}

/** Joins two lines of the same name into one list (RFC 9110 5.3). */
function listed(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}

/** Reads the headers of a request. Precondition: every line is `Name: value`. */
export function readRequestFields(block: HeaderBlock): RequestFields {
  const found = {
    kept: '',
    forwarding: '',
    forwardedFor: '',
    forwardedProto: '',
    forwardedHost: '',
    forwarded: '',
    hosts: 0,
    host: '',
    origin: null as string | null,
    fetchSite: null as string | null,
    bodyLength: 0,
    named: null as Set<string> | null,
    close: false,
    requestId: null as string | null,
    traceParent: null as string | null,
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
    if (!INSPECTED.has(block.charCodeAt(at))) {
      at = next;
      continue;
    }
    const colon = block.indexOf(':', at);
    const name = lowerName(block.slice(at, colon));
    let drop = true;
    switch (name) {
      case 'host':
        found.hosts++;
        found.host = valueAt(block, colon, end);
        if (found.host !== '' && !isHostField(found.host)) found.fault = HOST_FAULT;
        break;
      case 'content-length': {
        framings++;
        found.bodyLength = wholeNumber(valueAt(block, colon, end));
        if (found.bodyLength === -1) found.fault = 'Content-Length is not a whole number.';
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
      case 'traceparent':
        found.traceParent = listed(found.traceParent ?? '', valueAt(block, colon, end));
        drop = false;
        break;
      case 'x-request-id':
        if (found.requestId !== null) found.ordinary = false;
        found.requestId = valueAt(block, colon, end);
        break;
      case 'x-druid-gateway-view':
        found.ordinary = false;
        found.asksView = true;
        break;
      case 'x-forwarded-for':
        found.forwardedFor = listed(found.forwardedFor, valueAt(block, colon, end));
        break;
      case 'x-forwarded-proto':
        found.forwardedProto = listed(found.forwardedProto, valueAt(block, colon, end));
        break;
      case 'x-forwarded-host':
        found.forwardedHost = listed(found.forwardedHost, valueAt(block, colon, end));
        break;
      case 'forwarded':
        found.forwarded = listed(found.forwarded, valueAt(block, colon, end));
        break;
      case 'origin':
        found.origin = listed(found.origin ?? '', valueAt(block, colon, end));
        drop = false;
        break;
      case 'sec-fetch-site':
        found.fetchSite = listed(found.fetchSite ?? '', valueAt(block, colon, end));
        drop = false;
        break;
      default:
        if (isHopByHop(name)) found.ordinary = false;
        else if (name.startsWith('x-forwarded-')) found.forwarding += block.slice(at, next);
        else drop = name.includes('_') && shadowsOurs(name);
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
