import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TaggedBody } from '../feeds/tagged-body.ts';

/** Shorter bodies are not worth packing, in bytes. */
const WORTH_PACKING = 1024;

/**
 * Answers with JSON and its tag: 304 if the client has it already, packed if it takes gzip. The tag is weak, because
 * the packed body has the same one (RFC 9110, 8.8.3).
 */
export async function sendTagged(
  request: FastifyRequest,
  reply: FastifyReply,
  tagged: TaggedBody,
): Promise<FastifyReply> {
  const { 'if-none-match': known, 'accept-encoding': encodings } = request.headers;
  // Instead of `no-store`: a client that keeps it must ask each time.
  reply.headers({
    etag: `W/"${tagged.tag}"`,
    'cache-control': 'private, no-cache',
    vary: 'accept-encoding',
  });
  if (tagsOf(known).some((tag) => tag === tagged.tag || tag === '*')) return reply.code(304).send();
  reply.type('application/json; charset=utf-8');
  if (tagged.plain.length < WORTH_PACKING || !takesGzip(encodings)) return reply.send(tagged.plain);
  const packed = await tagged.packed();
  return reply.header('content-encoding', 'gzip').send(packed);
}

/** The tags in a field `If-None-Match`, without quotes and the mark of weak ones; `*` for any. */
export function tagsOf(field: string | undefined): readonly string[] {
  if (field === undefined) return [];
  if (field.trim() === '*') return ['*'];
  return [...field.matchAll(/(?:W\/)?"([^"]*)"/g)].map(([, tag = '']) => tag);
}

/** Whether a field `Accept-Encoding` has gzip with a quality above 0 (RFC 9110, 12.5.3). */
export function takesGzip(field: string | string[] | undefined): boolean {
  let any = false;
  for (const item of String(field ?? '').split(',')) {
    const [, name = '', quality = '1'] = /^\s*([^\s;]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?$/i.exec(item) ?? [];
    const takes = Number(quality) > 0;
    if (/^(?:x-)?gzip$/i.test(name)) return takes;
    if (name === '*') any = takes;
  }
  return any;
}
