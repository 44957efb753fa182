import type { FastifyInstance } from 'fastify';
import { EventStreams } from './event-streams.ts';
import type { Guard } from './guard.ts';
import { StatusFeed, type StatusFeedOptions } from './status-feed.ts';

/** Most open streams; a browser opens one for each visible page. */
const MOST_STREAMS = 50;
const MAX_BEHIND_MS = 10_000;

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
/** The time after which a browser asks again, in ms, once it has lost the stream. */
const RETRY = Buffer.from('retry: 1000\n\n');

/**
 * Registers `GET /events`: server-sent events with the state and the traffic, and with terms of leadership that begin
 * or end. Closing the listener ends the streams at once.
 */
export function registerEvents(
  app: FastifyInstance,
  guard: Pick<Guard, 'read'>,
  options: Omit<StatusFeedOptions, 'streams'>,
): void {
  const streams = new EventStreams({ max: MOST_STREAMS, maxBehindMs: MAX_BEHIND_MS });
  const feed = new StatusFeed({ ...options, streams });
  app.get('/events', { onRequest: guard.read, exposeHeadRoute: false }, (_request, reply): void => {
    if (streams.full) {
      reply
        .code(503)
        .header('retry-after', '5')
        .send({ error: `${MOST_STREAMS} streams of events are open already; close one, or ask /status` });
      return;
    }
    const { raw } = reply;
    // It would wait behind another answer of its connection, which may be a stream without an end.
    if (raw.socket === null) {
      reply.code(400).send({ error: 'a stream of events needs a connection of its own' });
      return;
    }
    reply.hijack();
    // A reader that leaves is no error; `close` follows.
    raw.on('error', () => {});
    raw.once('close', () => feed.leave(raw));
    raw.writeHead(200, HEAD);
    raw.write(RETRY);
    feed.join(raw);
  });
  app.addHook('preClose', async () => feed.close());
}
