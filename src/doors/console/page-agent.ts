import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, errors as undiciErrors } from 'undici';
import type { NodeTls } from '../../cluster/node.ts';
import type { UpstreamFailureKind } from '../../exchange/ports/upstream.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { ignore } from '../last-word.ts';

export interface PageAgentOptions {
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept, whatever the node says. */
  readonly keepAliveTimeoutMs: number;
  /** For https origins; certificates are verified unless this says not to. */
  readonly tls?: NodeTls;
}

/** A page as undici gives it to the plugin, and the plugin to us. */
export interface PageAnswer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: PageStream;
}

/** A body as undici gives it. */
export interface PageStream extends Readable {
  /** Reads up to so many bytes and ends it there. */
  dump(options: { readonly limit: number; readonly signal: AbortSignal }): Promise<unknown>;
}

/** What the agent is to know of one request, besides what the plugin hands on. */
export interface PageTerms {
  /**
   * What is sent, as a flat list: the plugin keeps headers in objects with a prototype, which lose those with the name of
   * something that every object has (`__proto__`).
   */
  readonly headers: readonly string[];
  /** Nobody wants the page any more. */
  readonly gone: AbortSignal;
  /** How long the head may take, and then each further piece, in milliseconds; 0 is for ever. */
  readonly headMs: number;
  readonly idleMs: number;
}

/** Among the headers of a request for a page: its terms. No header has a symbol for a name. */
export const PAGE_TERMS = Symbol('page terms');

type Answered = (error: Error | null, data: Dispatcher.ResponseData) => void;

/**
 * What a callback throws would be thrown once more, where nobody catches it; and a body that has come whole and is
 * destroyed unread emits an error, which without a listener would end the process. undici's own limit for a head
 * begins anew with every interim answer (1xx), so that a node could keep a connection for ever; and the plugin leaves
 * a request alone whose client has left.
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

/** The connections on which pages come from nodes. Certificates are verified, which the plugin's own agent does not. */
export function createPageAgent(options: PageAgentOptions): Agent {
  const { errors, connectTimeoutMs, keepAliveTimeoutMs, tls } = options;
  return new PageAgent(errors, {
    // No bound on connections: pages would wait behind those of clients that do not read. The exchange has limits.
    keepAliveTimeout: keepAliveTimeoutMs,
    keepAliveMaxTimeout: keepAliveTimeoutMs,
    allowH2: false,
    connect: { rejectUnauthorized: true, ...tls, timeout: connectTimeoutMs },
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

/** Of undici's parser, and of the plugin where it cannot take the status. */
const MALFORMED = /^(?:UND_ERR_HEADERS_OVERFLOW|HTTPParserError|HPE_.*|FST_REPLY_FROM_BAD_GATEWAY)$/;

/** What kind of failure an error of undici, the plugin or the system is: by its code, or its name where it has none. */
export function failureKind(error: Error): UpstreamFailureKind {
  const { code, name } = (error.cause ?? error) as { code?: string; name: string };
  const by = code ?? name;
  if (CONNECT_FAILED.has(by)) return 'connect';
  if (by === 'UND_ERR_HEADERS_TIMEOUT') return 'no_answer';
  if (by === 'UND_ERR_BODY_TIMEOUT') return 'stalled';
  return MALFORMED.test(by) ? 'malformed' : 'reset';
}
