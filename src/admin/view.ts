import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Cluster } from '../cluster/cluster.ts';
import { parseDuration } from '../config/units.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { prometheusTargets } from '../feeds/prometheus.ts';
import type { PublishedView, Wait } from '../feeds/published-view.ts';
import type { SharedView } from '../feeds/shared-view.ts';
import { digestOf, TaggedBody } from '../feeds/tagged-body.ts';
import type { Guard } from './guard.ts';
import { sendTagged, tagsOf } from './tagged-answer.ts';

export interface ViewSources {
  readonly published: PublishedView;
  readonly cluster: Pick<Cluster, 'view'>;
  readonly discovery: Pick<Discovery, 'snapshot'>;
}

/** Longest time that an answer is held, in ms: below what proxies on the way wait for a first byte as a rule. */
const LONGEST_WAIT_MS = 60_000;
const LONGEST_VERSION = 64;

/**
 * Registers `GET /view`, whose answer can be held until the view changes, and `GET /sd/prometheus`. Both tell what
 * `/status` tells, to whom it tells it. Closing the listener ends the held answers, with the view as it is then.
 */
export function registerView(
  app: FastifyInstance,
  guard: Pick<Guard, 'read'>,
  { published, cluster, discovery }: ViewSources,
): void {
  const bodyOf = remembered((view: SharedView) => new TaggedBody(view.version, JSON.stringify(view)));

  app.get('/view', { onRequest: guard.read }, async (request, reply) => {
    const asked = questionOf(request.query, tagsOf(request.headers['if-none-match'])[0]);
    if (typeof asked === 'string') return reply.code(400).send({ error: asked });
    const { version, waitMs } = asked;
    if (version !== undefined && waitMs > 0 && published.current.version === version) {
      if (published.full) return refuseWait(reply);
      await hold(
        reply,
        published.wait((view) => view.version !== version, waitMs),
      );
    }
    return sendTagged(request, reply, bodyOf(published.current));
  });

  app.get('/sd/prometheus', { onRequest: guard.read }, async (request, reply) => {
    const { view } = cluster;
    // Prometheus keeps the targets that it has unless it is told that there are none.
    if (!view.complete) {
      return reply.code(503).header('retry-after', '1').send({ error: 'discovery is not complete yet' });
    }
    const json = JSON.stringify(prometheusTargets(view, discovery.snapshot));
    return sendTagged(request, reply, new TaggedBody(digestOf(json), json));
  });

  app.addHook('preClose', async () => {
    published.close();
    // Closing cuts all connections at once: the answers first.
    await new Promise((resolve) => setImmediate(resolve));
  });
}

/** Waits, unless the client leaves. Only one answer of a connection is held. */
export async function hold({ raw }: FastifyReply, { over, leave }: Wait): Promise<void> {
  raw.once('close', leave);
  // It may have left meanwhile. Behind another answer of its connection nobody would say that it has.
  if (raw.destroyed || raw.socket === null) leave();
  await over;
  raw.off('close', leave);
}

/** Refuses a wait because there are too many. */
export function refuseWait(reply: FastifyReply): FastifyReply {
  return reply
    .code(503)
    .header('retry-after', '5')
    .send({ error: 'too many answers are held already; ask without wait' });
}

/** Makes something of a view once, as long as it is the view. */
export function remembered<T>(make: (view: SharedView) => T): (view: SharedView) => T {
  let last: { readonly view: SharedView; readonly made: T } | null = null;
  return (view) => {
    if (last?.view !== view) last = { view, made: make(view) };
    return last.made;
  };
}

interface Question {
  /** The version that the client has; undefined if it says none. */
  readonly version: string | undefined;
  readonly waitMs: number;
}

/** Returns what is asked, or what is wrong with it. Without `version`, the tag that the client has says it. */
function questionOf(query: unknown, tag: string | undefined): Question | string {
  const { version = tag, wait = '0' } = query as { readonly version?: unknown; readonly wait?: unknown };
  if (version !== undefined && (typeof version !== 'string' || version.length > LONGEST_VERSION)) {
    return 'version: expected the version of a view';
  }
  const waitMs = typeof wait === 'string' ? parseDuration(wait) : null;
  if (waitMs === null || waitMs > LONGEST_WAIT_MS)
    return 'wait: expected a duration from 0 to 60s, such as 20s';
  return { version, waitMs };
}
