import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { UpstreamFailureKind } from '../../exchange/ports/upstream.ts';

/** A page as undici hands it to the plugin, and the plugin to us. */
export interface PageAnswer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: PageStream;
}

/** A body as undici hands it over. */
export interface PageStream extends Readable {
  /** Reads at most `limit` bytes, then ends the body. */
  dump(options: { readonly limit: number; readonly signal: AbortSignal }): Promise<unknown>;
}

/** What the agent needs for one request, besides what the plugin passes on. */
export interface PageTerms {
  /**
   * Headers to send, as a flat list. The plugin keeps headers in objects with a prototype, which lose any header
   * named like an inherited property (`__proto__`).
   */
  readonly headers: readonly string[];
  /** Aborted once nobody wants the page any more. */
  readonly gone: AbortSignal;
  /** Limits in milliseconds for the head, and then for each further piece; 0 is no limit. */
  readonly headMs: number;
  readonly idleMs: number;
}

/** Key of a page's terms among the request headers. No header can collide with it, because it is a symbol. */
export const PAGE_TERMS = Symbol('page terms');

const CONNECT_FAILED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Codes from undici's parser, and from the plugin for a status it cannot accept. */
const MALFORMED = /^(?:UND_ERR_HEADERS_OVERFLOW|HTTPParserError|HPE_.*|FST_REPLY_FROM_BAD_GATEWAY)$/;

/** Classifies an error of undici, the plugin or the system by its code, or by its name if it has no code. */
export function failureKind(error: Error): UpstreamFailureKind {
  const { code, name } = (error.cause ?? error) as { code?: string; name: string };
  const by = code ?? name;
  if (CONNECT_FAILED.has(by)) return 'connect';
  if (by === 'UND_ERR_HEADERS_TIMEOUT') return 'no_answer';
  if (by === 'UND_ERR_BODY_TIMEOUT') return 'stalled';
  return MALFORMED.test(by) ? 'malformed' : 'reset';
}
