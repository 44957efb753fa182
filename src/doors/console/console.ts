import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ClientSide } from '../../exchange/ports/client.ts';
import type { NodeSender } from '../../exchange/ports/upstream.ts';
import type { DoorState } from '../door-state.ts';
import { NodeClient } from '../front/node-client.ts';
import type { PagePlugin, PagePluginOptions } from './page-plugin.ts';
import { createPageSender, type PageReply, type PageSenderOptions } from './page-sender.ts';

export interface ConsoleOptions
  extends Omit<PagePluginOptions, 'logger' | 'maxTargetLength'>,
    PageSenderOptions {
  /** Relays a page to its client; `sender` sends the requests for it to nodes. */
  readonly relayPage: (client: ClientSide, sender: NodeSender) => void;
  /** The exchange's clock. */
  readonly now: () => number;
}

/**
 * Registers the web console. Its pages come from the leading Coordinator: a follower redirects even the assets, and
 * asset names carry the version. A plugin sends the requests; the exchange decides on node, time, retries and
 * answer, as for every request. API calls made by the pages go through the exchange alone. The plugin is loaded for
 * the first page, as most gateways never serve one.
 */
export function registerConsole(
  app: FastifyInstance,
  options: ConsoleOptions & PagePluginOptions,
  door: DoorState,
): void {
  const { errors, now, relayPage } = options;
  let opened: Promise<PagePlugin> | null = null;

  /** All pages of a burst wait for the same plugin. If it cannot be loaded, the next page tries anew. */
  function plugin(): Promise<PagePlugin> {
    opened ??= import('./page-plugin.ts')
      .then(({ openPagePlugin }) => openPagePlugin(options))
      .catch((error: unknown) => {
        opened = null;
        throw error;
      });
    return opened;
  }

  function handler({ raw, id }: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    try {
      const client = new NodeClient(raw, reply.raw, door, id, now(), errors);
      const replied = async (): Promise<PageReply> => (await plugin()).replyTo(raw, reply.raw, id);
      relayPage(client, createPageSender(replied, options));
    } catch (error) {
      errors.report('request', error, id);
      reply.raw.destroy();
    }
  }

  for (const url of ['/', '/*']) app.route({ method: ['GET', 'HEAD'], url, handler });
  app.addHook('onClose', async () => {
    // What does not open has nothing to close.
    await opened?.then(
      (open) => open.close(),
      () => {},
    );
  });
}
