import fastifyHttpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ClientSide } from '../../exchange/ports/client.ts';
import type { NodeSender } from '../../exchange/ports/upstream.ts';
import type { DoorState } from '../door-state.ts';
import { NodeClient } from '../front/node-client.ts';
import { createPageAgent, type PageAgentOptions } from './page-agent.ts';
import { createPageSender, type PageSenderOptions } from './page-sender.ts';

export interface ConsoleOptions extends PageAgentOptions, PageSenderOptions {
  /** Relays a page to its client; `sender` asks nodes for it. */
  readonly relayPage: (client: ClientSide, sender: NodeSender) => void;
  /** The exchange's clock. */
  readonly now: () => number;
}

/**
 * The web console: its pages come from the leading Coordinator, since a follower redirects even its assets and
 * their names carry the version. The plugin asks for them, and the exchange decides as it does for every request:
 * whom to ask, when, how often, and what the client gets. What the pages call goes through the exchange alone.
 */
export function registerConsole(app: FastifyInstance, options: ConsoleOptions, door: DoorState): void {
  const { errors, now, relayPage } = options;
  const agent = createPageAgent(options);
  app.addHook('onClose', async () => {
    await agent.destroy();
  });

  app.register(fastifyHttpProxy, {
    // Which node is asked is known later, and named by the sender.
    upstream: '',
    replyOptions: { getUpstream: () => '' },
    httpMethods: ['GET', 'HEAD'],
    undici: agent as never,
    retryMethods: [],
    disableCache: true,
    disableRequestLogging: true,
    proxyPayloads: false,
    internalRewriteLocationHeader: false,
    handler(request, reply, path) {
      try {
        const client = new NodeClient(request.raw, reply.raw, door, request.id, now(), errors);
        relayPage(client, createPageSender(reply as FastifyReply, path, options));
      } catch (error) {
        errors.report('request', error, request.id);
        reply.raw.destroy();
      }
    },
  });
}
