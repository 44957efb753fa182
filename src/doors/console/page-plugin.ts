import type { IncomingMessage, ServerResponse } from 'node:http';
import fastifyHttpProxy from '@fastify/http-proxy';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { NO_SCHEMAS } from '../no-schemas.ts';
import { createPageAgent, type PageAgentOptions } from './page-agent.ts';
import type { PageReply } from './page-sender.ts';

export interface PagePluginOptions extends PageAgentOptions {
  readonly logger: FastifyBaseLogger;
  /** Longest target of a request, in characters. */
  readonly maxTargetLength: number;
}

/** `@fastify/http-proxy`, which asks nodes for pages. */
export interface PagePlugin {
  /** Resolves to the plugin's reply to a request. */
  replyTo(request: IncomingMessage, response: ServerResponse, id: string): Promise<PageReply>;
  close(): Promise<void>;
}

interface Awaited {
  readonly id: string;
  readonly take: (reply: PageReply) => void;
}

/**
 * Opens the plugin, in a Fastify instance that listens to nothing: routes cannot be added to one that listens already.
 * Rejects if the plugin does not load.
 */
export async function openPagePlugin(options: PagePluginOptions): Promise<PagePlugin> {
  const awaited = new WeakMap<IncomingMessage, Awaited>();
  const agent = createPageAgent(options);
  const app = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request: IncomingMessage) => awaited.get(request)?.id ?? '',
    exposeHeadRoutes: false,
    schemaController: NO_SCHEMAS,
    routerOptions: { maxParamLength: options.maxTargetLength },
  }) as unknown as FastifyInstance;
  app.addHook('onClose', async () => {
    await agent.destroy();
  });
  app.register(fastifyHttpProxy, {
    // The sender names the node later.
    upstream: '',
    replyOptions: { getUpstream: () => '' },
    httpMethods: ['GET', 'HEAD'],
    undici: agent as never,
    retryMethods: [],
    disableCache: true,
    disableRequestLogging: true,
    proxyPayloads: false,
    internalRewriteLocationHeader: false,
    handler(request, reply) {
      awaited.get(request.raw)?.take({ from: (target, how) => reply.from(target, how) });
    },
  });
  await app.ready();
  return {
    replyTo: (request, response, id) =>
      new Promise((resolve) => {
        awaited.set(request, { id, take: resolve });
        app.routing(request, response);
      }),
    close: () => app.close(),
  };
}
