import { blockOf, flatOf, type HeaderBlock, without } from './header-block.ts';
import { isHopByHop } from './hop-by-hop.ts';
import type { AnswerHead } from './response-head.ts';

/** The parts of a request that decide how its answer is framed. */
export interface AnswerContext {
  /** True for HEAD: no body follows. */
  readonly bodiless: boolean;
  readonly httpMinor: number;
  /** Returns path and query of a `Location` that names a Druid node; returns any other value unchanged. */
  rewriteLocation(location: string): string;
  /** True if the client may learn which node answered (`NODE_HEADERS`). */
  readonly showsNode?: boolean;
}

export interface RelayedHead {
  readonly headers: HeaderBlock;
  /** True if the answer is sent chunked, so it can have trailers. */
  readonly chunked: boolean;
}

const LOCATIONS: ReadonlySet<string> = new Set(['location', 'content-location']);
/** Druid 39 (`#20268`): a node's `host:port`, service and version, if its operator enables them. */
const NODE_HEADERS: ReadonlySet<string> = new Set(['x-druid-server', 'x-druid-service', 'x-druid-version']);
const LENGTH: ReadonlySet<string> = new Set(['content-length']);

/** Returns the headers of a relayed answer: the upstream's end-to-end headers, framed for this client. */
export function relayedHead(head: AnswerHead, context: AnswerContext): RelayedHead {
  let headers = head.kept;
  if (head.named !== null) headers = without(headers, head.named);
  if (head.namesNode && !context.showsNode) headers = without(headers, NODE_HEADERS);
  if (head.hasLocation) {
    headers = withLocations(headers, (location) => context.rewriteLocation(location));
  }
  // RFC 9110 8.6: no Content-Length with 204.
  if (head.status === 204 && head.length >= 0) headers = without(headers, LENGTH);
  const hasBody = !context.bodiless && head.status !== 204 && head.status !== 304;
  const chunked = hasBody && head.length < 0 && context.httpMinor > 0;
  if (chunked) {
    if (head.trailer !== null) headers += `Trailer: ${head.trailer}\r\n`;
    headers += 'Transfer-Encoding: chunked\r\n';
  }
  return { headers, chunked };
}

function withLocations(block: HeaderBlock, rewrite: (location: string) => string): HeaderBlock {
  const flat = flatOf(block);
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if (LOCATIONS.has((flat[i] ?? '').toLowerCase())) flat[i + 1] = rewrite(flat[i + 1] ?? '');
  }
  return blockOf(flat);
}

export interface AnswerTrailers {
  readonly trailers: HeaderBlock;
  /**
   * True if Druid says that its answer is not whole (QueryResultPusher: a query that failed after its first row),
   * or does not say that it is whole although it announced to say so.
   */
  readonly incomplete: boolean;
}

/** Returns the headers of an interim answer (1xx), which has no body, for the client. */
export function interimHeaders(head: AnswerHead, context: Omit<AnswerContext, 'bodiless'>): HeaderBlock {
  const { httpMinor, showsNode = false } = context;
  const rewriteLocation = (location: string): string => context.rewriteLocation(location);
  return without(
    relayedHead(head, { bodiless: true, httpMinor, showsNode, rewriteLocation }).headers,
    LENGTH,
  );
}

/** The trailer of nearly every answer to a query. */
const COMPLETE: HeaderBlock = 'X-Druid-Response-Complete: true\r\n';

/**
 * Returns trailers for the client. Control characters in an error message become blanks. `announced` is true if a
 * trailer should say whether the answer is whole.
 */
export function answerTrailers(block: HeaderBlock, announced = false): AnswerTrailers {
  if (block === COMPLETE) return { trailers: block, incomplete: false };
  if (block === '') return { trailers: block, incomplete: announced };
  const raw = flatOf(block);
  let trailers = '';
  let incomplete = false;
  let complete = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'x-error-message') incomplete = true;
    if (lower === 'x-druid-response-complete') {
      if (value.toLowerCase() === 'true') complete = true;
      else incomplete = true;
    }
    if (isHopByHop(lower) || lower === 'content-length' || lower === 'host') continue;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a header line.
    trailers += `${name}: ${value.replace(/[\x00-\x08\x0a-\x1f\x7f]+/g, ' ')}\r\n`;
  }
  return { trailers, incomplete: incomplete || (announced && !complete) };
}
