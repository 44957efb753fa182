import fastifyHttpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Agent } from 'undici';
import type { NodeTls } from '../cluster/node.ts';
import type { RecordSink } from '../exchange/record.ts';
import type { StandbyDeps } from '../exchange/standby.ts';
import type { InternalErrors } from '../internal-errors.ts';
import { ConsolePage } from './console-page.ts';

export interface ConsoleOptions extends StandbyDeps {
  /** A page is asked for; `sink` gets its record when it is over. */
  readonly begins: () => void;
  readonly sink: RecordSink;
  /** Whether a peer may set `X-Forwarded-*`. */
  readonly trusts: (remoteAddress: string) => boolean;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  /** For https origins; certificates are verified unless this says not to. */
  readonly tls?: NodeTls;
}

/**
 * The web console: its pages come from the leading Coordinator, since a follower redirects even its assets and
 * their names carry the version. What the pages call goes through the exchange.
 */
export function registerConsole(app: FastifyInstance, options: ConsoleOptions): void {
  const agent = new Agent({
    connections: 64,
    headersTimeout: options.responseTimeoutMs,
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
      const page = new ConsolePage(request, reply as FastifyReply, options, done as () => void);
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
