import { Agent, type Dispatcher, errors as undiciErrors } from 'undici';
import type { AddressOf, NodeTls } from '../../cluster/node.ts';
import { nodeConnector } from '../../cluster/node-connector.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { ignore } from '../last-word.ts';
import { PAGE_TERMS, type PageTerms } from './page-terms.ts';

export interface PageAgentOptions {
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept, in milliseconds, whatever the node says. */
  readonly keepAliveTimeoutMs: number;
  /** For https origins. Certificates are verified unless these options turn that off. */
  readonly tls?: NodeTls;
  readonly addressOf?: AddressOf;
}

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
  const { errors, connectTimeoutMs, keepAliveTimeoutMs, tls, addressOf } = options;
  return new PageAgent(errors, {
    // No limit on connections: pages would wait behind those of clients that do not read. The exchange has limits.
    keepAliveTimeout: keepAliveTimeoutMs,
    keepAliveMaxTimeout: keepAliveTimeoutMs,
    allowH2: false,
    connect: nodeConnector(tls, connectTimeoutMs, addressOf),
  });
}
