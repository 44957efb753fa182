import fastifyHttpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ClientSide } from '../../exchange/ports/client.ts';
import type { NodeSender } from '../../exchange/ports/upstream.ts';
import type { DoorState } from '../door-state.ts';
import { NodeClient } from '../front/node-client.ts';
import { createPageAgent, type PageAgentOptions } from './page-agent.ts';
import { createPageSender, type PageSenderOptions } from './page-sender.ts';

export interface ConsoleOptions extends PageAgentOptions, PageSenderOptions {
  /** Relays a page to its client; `sender` sends the requests for it to nodes. */
  readonly relayPage: (client: ClientSide, sender: NodeSender) => void;
  /** The exchange's clock. */
  readonly now: () => number;
}

/**
 * Registers the web console. Its pages come from the leading Coordinator: a follower redirects even the assets, and
 * asset names carry the version. The plugin sends the requests; the exchange decides on node, time, retries and
 * answer, as for every request. API calls made by the pages go through the exchange alone.
 */
export function registerConsole(app: FastifyInstance, options: ConsoleOptions, door: DoorState): void {
  const { errors, now, relayPage } = options;
  const agent = createPageAgent(options);
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
      try {
        const client = new NodeClient(request.raw, reply.raw, door, request.id, now(), errors);
        relayPage(client, createPageSender(reply as FastifyReply, options));
      } catch (error) {
        errors.report('request', error, request.id);
        reply.raw.destroy();
      }
    },
  });
}
