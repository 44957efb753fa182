import { type HeaderBlock, lineEnd, valueAt } from './header-block.ts';
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
