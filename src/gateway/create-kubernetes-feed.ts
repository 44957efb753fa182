import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { type Discovery, MASTER_ROLES } from '../discovery/discovery.ts';
import { createHttpApi } from '../discovery/http-api.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { Addresses } from '../feeds/addresses.ts';
import { KubernetesFeed } from '../feeds/kubernetes/feed.ts';
import { createApiObjects } from '../feeds/kubernetes/objects.ts';
import type { PublishedView } from '../feeds/published-view.ts';
import { reachedAt, sharedNode } from '../feeds/shared-view.ts';
import { kubernetesFeedTarget } from './kubernetes-target.ts';

export interface KubernetesFeedSources {
  readonly published: PublishedView;
  readonly discovery: Pick<Discovery, 'snapshot'>;
  readonly logger: Logger;
  readonly errors: InternalErrors;
}

/**
 * Creates the feed of EndpointSlices, not yet started; null if none is configured. Throws an Error of one sentence if
 * nothing says where the API is.
 */
export function createKubernetesFeed(
  config: Config,
  { published, discovery, logger, errors }: KubernetesFeedSources,
): KubernetesFeed | null {
  const feed = config.feeds.kubernetes;
  if (feed === undefined) return null;
  const { services, portName, leaseDuration, renewDeadline, retryPeriod, emptyAfter, interval } = feed;
  const { namespace, ...target } = kubernetesFeedTarget(config);
  return new KubernetesFeed({
    published,
    services,
    portName,
    objects: createApiObjects(createHttpApi(target), namespace),
    lease: feed.lease ?? `${services.coordinator ?? services.overlord}-endpoints`,
    // As client-go's users call themselves: a process that is started again is another one.
    identity: `${hostname()}_${randomUUID()}`,
    leaseMs: leaseDuration,
    renewMs: renewDeadline,
    retryMs: retryPeriod,
    emptyAfterMs: emptyAfter,
    intervalMs: interval,
    addresses: new Addresses(),
    candidates: () =>
      MASTER_ROLES.flatMap((role) =>
        discovery.snapshot.announcements[role].map(({ address = null, ...node }) =>
          reachedAt(sharedNode({ ...node, address })),
        ),
      ),
    logger,
    errors,
  });
}
