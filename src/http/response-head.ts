import { FirstLetters } from './first-letters.ts';
import { type HeaderBlock, lineEnd, valueAt } from './header-block.ts';
import { lowerName } from './header-names.ts';
import { isHopByHop, namedInConnection } from './hop-by-hop.ts';
import { wholeNumber } from './whole-number.ts';

/** The head of a node's answer, parsed once for all its users. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /**
   * End-to-end headers with `Content-Length`; the node's order, case and duplicates are kept, but only one `Date`.
   */
  readonly kept: HeaderBlock;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly location: string | null;
  /** True if there is a `Location` or `Content-Location`. */
  readonly hasLocation: boolean;
  readonly hasDate: boolean;
  readonly trailer: string | null;
  /** True if there is a header in which the node names itself. */
  readonly namesNode: boolean;
  /**
   * `X-Druid-Query-Id` and `X-Druid-SQL-Query-Id`. Null if absent, or if blanks around the value show that it lost
   * characters.
   */
  readonly queryId: string | null;
  readonly sqlQueryId: string | null;
  /** Headers that `Connection` removes, in lower case. */
  readonly named: ReadonlySet<string> | null;
  /** Declared length of the body in bytes; -1 if it is chunked or ends with the connection. */
  readonly length: number;
  readonly chunked: boolean;
  /** True if the node closes the connection after the answer. */
  readonly close: boolean;
  /** How long the node keeps an idle connection, in seconds; null if it does not say. */
  readonly keepAlive: number | null;
}

const INSPECTED = new FirstLetters('cdhklptux');

/**
 * Reads the headers of an HTTP/1.`minor` answer. Precondition: every line is `Name: value`. Returns null if two
 * readers could understand the framing differently.
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
    if (!INSPECTED.has(block.charCodeAt(at))) {
      at = next;
      continue;
    }
    const colon = block.indexOf(':', at);
    const name = lowerName(block.slice(at, colon));
    let drop = false;
    switch (name) {
      case 'content-length': {
        if (length >= 0) return null;
        length = wholeNumber(valueAt(block, colon, end));
        if (length === -1) return null;
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
 * Returns a value with at most one blank before it and none after it, otherwise null: Jetty 9.4 writes blanks for
 * characters that a header cannot hold.
 */
function unharmedAt(block: HeaderBlock, colon: number, end: number): string | null {
  const value = valueAt(block, colon, end);
  return end - colon - 1 - value.length > 1 || block.endsWith(' ', end) ? null : value;
}
