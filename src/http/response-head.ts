import { type HeaderBlock, lineEnd, valueAt } from './header-block.ts';
import { isHopByHop, namedInConnection } from './hop-by-hop.ts';

/** The head of an answer as it came from a node, read once for everybody who wants to know something of it. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** End-to-end headers with `Content-Length`, in the node's order, case and number; one `Date` at most. */
  readonly kept: HeaderBlock;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly location: string | null;
  /** There is a `Location` or `Content-Location`. */
  readonly hasLocation: boolean;
  readonly hasDate: boolean;
  readonly trailer: string | null;
  /** There is one of the headers in which a node says who it is. */
  readonly namesNode: boolean;
  /** `X-Druid-Query-Id` and `X-Druid-SQL-Query-Id`; null also where blanks around one say that it has lost characters. */
  readonly queryId: string | null;
  readonly sqlQueryId: string | null;
  /** Headers that `Connection` has removed, in lower case. */
  readonly named: ReadonlySet<string> | null;
  /** Declared length of the body; -1 where it is chunked or ends with the connection. */
  readonly length: number;
  readonly chunked: boolean;
  /** The node closes the connection after the answer. */
  readonly close: boolean;
  /** Seconds that the node keeps the connection while it is idle, where it says so. */
  readonly keepAlive: number | null;
}

/** First letters of the names that are looked at. */
const LOOKED_AT = new Set([...'cdhklptuxCDHKLPTUX'].map((letter) => letter.charCodeAt(0)));
const WHOLE_NUMBER = /^\d{1,15}$/;

/**
 * Reads the headers of an answer with HTTP/1.`minor`; every line must be `Name: value`. Null when it is framed in a
 * way that two readers could read differently.
 */
export function readAnswerHead(
  status: number,
  reason: string,
  minor: number,
  block: HeaderBlock,
): AnswerHead | null {
  let kept = '';
  let contentType: string | null = null;
  let contentEncoding: string | null = null;
  let location: string | null = null;
  let hasLocation = false;
  let hasDate = false;
  let trailer: string | null = null;
  let queryId: string | null = null;
  let sqlQueryId: string | null = null;
  let namesNode = false;
  let named: Set<string> | null = null;
  let length = -1;
  let chunked = false;
  let close = minor === 0;
  let keepAlive: number | null = null;
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
    let drop = false;
    switch (name) {
      case 'content-length': {
        const value = valueAt(block, colon, end);
        if (length >= 0 || !WHOLE_NUMBER.test(value)) return null;
        length = Number(value);
        break;
      }
      case 'transfer-encoding':
        if (chunked || minor === 0 || valueAt(block, colon, end).toLowerCase() !== 'chunked') return null;
        chunked = true;
        drop = true;
        break;
      case 'connection': {
        const value = valueAt(block, colon, end).toLowerCase();
        if (/(?:^|[\t ,])close(?:$|[\t ,])/.test(value)) close = true;
        named = namedInConnection(value, named);
        drop = true;
        break;
      }
      case 'keep-alive': {
        const [, seconds] = /(?:^|[ ,])timeout=(\d{1,9})/i.exec(valueAt(block, colon, end)) ?? [];
        if (seconds !== undefined) keepAlive = Number(seconds);
        drop = true;
        break;
      }
      case 'trailer': {
        const value = valueAt(block, colon, end);
        trailer = trailer === null ? value : `${trailer}, ${value}`;
        drop = true;
        break;
      }
      case 'date':
        drop = hasDate;
        hasDate = true;
        break;
      case 'content-type':
        contentType ??= valueAt(block, colon, end);
        break;
      case 'content-encoding':
        contentEncoding ??= valueAt(block, colon, end);
        break;
      case 'location':
        hasLocation = true;
        location ??= valueAt(block, colon, end);
        break;
      case 'content-location':
        hasLocation = true;
        break;
      case 'x-druid-query-id':
        queryId ??= unharmedAt(block, colon, end);
        break;
      case 'x-druid-sql-query-id':
        sqlQueryId ??= unharmedAt(block, colon, end);
        break;
      case 'x-druid-server':
      case 'x-druid-service':
      case 'x-druid-version':
        namesNode = true;
        break;
      default:
        drop = isHopByHop(name) || name === 'x-druid-gateway-view';
    }
    if (drop) {
      if (from < at) kept += block.slice(from, at);
      from = next;
    }
    at = next;
  }
  kept = from === 0 ? block : kept + block.slice(from);
  if (chunked && length >= 0) return null;
  return {
    status,
    reason,
    kept,
    contentType,
    contentEncoding,
    location,
    hasLocation,
    hasDate,
    trailer,
    namesNode,
    queryId,
    sqlQueryId,
    named,
    length,
    chunked,
    close,
    keepAlive,
  };
}

/**
 * A value with one blank before it at most and none behind it. More of them stand for characters that Jetty 9.4 could
 * not write into a header.
 */
function unharmedAt(block: HeaderBlock, colon: number, end: number): string | null {
  const value = valueAt(block, colon, end);
  return end - colon - 1 - value.length > 1 || block.endsWith(' ', end) ? null : value;
}
