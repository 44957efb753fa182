import fastifyHttpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Agent, type Dispatcher, errors as undiciErrors } from 'undici';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { DoorState } from '../door-state.ts';
import { ignore } from '../last-word.ts';
import { CLIENT_GONE, type ConsoleOptions, ConsolePage, PAGE_HEADERS } from './console-page.ts';

type Answered = (error: Error | null, data: Dispatcher.ResponseData) => void;

/**
 * What a callback throws would be thrown once more, where nobody catches it; and a body that has come whole and is
 * destroyed unread emits an error, which without a listener would end the process. undici's own limit for a head
 * begins anew with every interim answer (1xx), so that a node could keep a connection for ever; and the plugin leaves
 * a request alone whose client has left.
 */
class PageAgent extends Agent {
  readonly #errors: InternalErrors;
  readonly #responseTimeoutMs: number;

  constructor(errors: InternalErrors, responseTimeoutMs: number, options: Agent.Options) {
    super(options);
    this.#errors = errors;
    this.#responseTimeoutMs = responseTimeoutMs;
  }

  // biome-ignore lint/suspicious/noExplicitAny: one signature for the overloads of undici.
  override request(options: any, callback?: any): any {
    if (callback === undefined) return super.request(options);
    const ends = new AbortController();
    const end = (reason: Error): void => ends.abort(reason);
    const timer =
      this.#responseTimeoutMs > 0
        ? setTimeout(end, this.#responseTimeoutMs, new undiciErrors.HeadersTimeoutError())
        : undefined;
    const gone: AbortSignal | undefined = options.headers?.[CLIENT_GONE];
    const headers: readonly string[] = options.headers?.[PAGE_HEADERS] ?? [];
    gone?.addEventListener('abort', () => end(new undiciErrors.RequestAbortedError()), { once: true });
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
    super.request({ ...options, headers, signal: ends.signal }, answered);
  }
}

/**
 * The web console: its pages come from the leading Coordinator, since a follower redirects even its assets and
 * their names carry the version. What the pages call goes through the exchange.
 */
export function registerConsole(app: FastifyInstance, options: ConsoleOptions, door: DoorState): void {
  const agent = new PageAgent(options.errors, options.responseTimeoutMs, {
    // No bound: pages would wait behind those of clients that do not read.
    headersTimeout: options.responseTimeoutMs,
    bodyTimeout: options.idleTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    // Whatever the node says.
    keepAliveMaxTimeout: options.keepAliveTimeoutMs,
    allowH2: false,
    connect: { rejectUnauthorized: true, ...options.tls, timeout: options.connectTimeoutMs },
  });
  app.addHook('onClose', async () => {
    await agent.destroy();
  });
  const pages = new WeakMap<FastifyRequest, ConsolePage>();

  app.register(fastifyHttpProxy, {
    upstream: '',
    httpMethods: ['GET', 'HEAD'],
    // An agent of our own: by default upstream certificates are not verified.
    undici: agent as never,
    retryMethods: [],
    disableCache: true,
    disableRequestLogging: true,
    proxyPayloads: false,
    internalRewriteLocationHeader: false,
    preHandler(request, reply, done) {
      let page: ConsolePage;
      try {
        page = new ConsolePage(request, reply as FastifyReply, options, door, done as () => void);
      } catch (error) {
        options.errors.report('request', error, request.id);
        reply.raw.destroy();
        return;
      }
      pages.set(request, page);
      page.start();
    },
    handler(request, reply, path) {
      pages.get(request)?.send(path);
      return reply;
    },
    replyOptions: {
      // The page's own `reply.from` names the node; this keeps the plugin from resolving against no upstream.
      getUpstream: (request) => pages.get(request as FastifyRequest)?.origin ?? '',
    },
  });
}
