import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, errors as undiciErrors } from 'undici';
import type { NodeTls } from '../../cluster/node.ts';
import { nodeConnector } from '../../cluster/node-connector.ts';
import type { UpstreamFailureKind } from '../../exchange/ports/upstream.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { ignore } from '../last-word.ts';

export interface PageAgentOptions {
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept, in milliseconds, whatever the node says. */
  readonly keepAliveTimeoutMs: number;
  /** For https origins. Certificates are verified unless these options turn that off. */
  readonly tls?: NodeTls;
}

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

type Answered = (error: Error | null, data: Dispatcher.ResponseData) => void;

/**
 * Contains what undici and the plugin leave open. An error thrown by a callback would be thrown again where nothing
 * catches it. A complete body that is destroyed unread emits an error, which would end the process without a
 * listener. undici restarts its own head limit at every interim answer (1xx), so a node could hold a connection for
 * ever. The plugin does not end a request whose client has left.
 */
class PageAgent extends Agent {
  readonly #errors: InternalErrors;

  constructor(errors: InternalErrors, options: Agent.Options) {
    super(options);
    this.#errors = errors;
  }

  // biome-ignore lint/suspicious/noExplicitAny: one signature for the overloads of undici.
  override request(options: any, callback?: any): any {
    const terms: PageTerms | undefined = options.headers?.[PAGE_TERMS];
    if (callback === undefined || terms === undefined) return super.request(options, callback);
    const { headers, gone, headMs, idleMs } = terms;
    const ends = new AbortController();
    const end = (reason: Error): void => ends.abort(reason);
    const timer = headMs > 0 ? setTimeout(end, headMs, new undiciErrors.HeadersTimeoutError()) : undefined;
    gone.addEventListener('abort', () => end(new undiciErrors.RequestAbortedError()), { once: true });
    const answered: Answered = (error, data) => {
      clearTimeout(timer);
      try {
        data?.body?.on('error', ignore);
        (callback as Answered)(error, data);
      } catch (thrown) {
        this.#errors.report('client', thrown);
        data?.body?.destroy();
      }
    };
    super.request(
      { ...options, headers, headersTimeout: 0, bodyTimeout: idleMs, signal: ends.signal },
      answered,
    );
  }
}

/** Creates the agent that fetches pages from nodes. Unlike the plugin's own agent, it verifies certificates. */
export function createPageAgent(options: PageAgentOptions): Agent {
  const { errors, connectTimeoutMs, keepAliveTimeoutMs, tls } = options;
  return new PageAgent(errors, {
    // No limit on connections: pages would wait behind those of clients that do not read. The exchange has limits.
    keepAliveTimeout: keepAliveTimeoutMs,
    keepAliveMaxTimeout: keepAliveTimeoutMs,
    allowH2: false,
    connect: nodeConnector(tls, connectTimeoutMs),
  });
}

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
