import type { Logger } from 'pino';
import type { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { Addresses } from '../feeds/addresses.ts';
import { HaproxyFeed } from '../feeds/haproxy/feed.ts';
import { askHaproxy } from '../feeds/haproxy/socket.ts';
import type { PublishedView } from '../feeds/published-view.ts';
import { reachedAt, sharedNode } from '../feeds/shared-view.ts';

/** The runtime socket answers within a millisecond; after so long HAProxy is stuck, in ms. */
const TIMEOUT_MS = 2_000;

export interface HaproxyFeedSources {
  readonly published: PublishedView;
  readonly cluster: Pick<Cluster, 'view'>;
  readonly logger: Logger;
  readonly errors: InternalErrors;
}

/** Creates the feed of HAProxy, not yet started; null if none is configured. */
export function createHaproxyFeed(
  { feeds }: Config,
  { published, cluster, logger, errors }: HaproxyFeedSources,
): HaproxyFeed | null {
  if (feeds.haproxy === undefined) return null;
  const { socket, backends, serverOptions = '', interval } = feeds.haproxy;
  return new HaproxyFeed({
    published,
    backends,
    serverOptions,
    intervalMs: interval,
    ask: (line) => askHaproxy(socket, line, TIMEOUT_MS),
    addresses: new Addresses(),
    candidates: () => [...cluster.view.nodes.values()].map((node) => reachedAt(sharedNode(node))),
    logger,
    errors,
  });
}
