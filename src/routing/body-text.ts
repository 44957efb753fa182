import { gunzipSync } from 'node:zlib';

/**
 * What a request's body says: of a gzipped one an inflated copy. Null for one that is no gzip after all, or is
 * longer than `limit` bytes. The magic number tells, since no JSON, Smile or SQL begins with it.
 */
export function plainBody(body: Buffer, limit: number): Buffer | null {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body.length > limit ? null : body;
  try {
    return gunzipSync(body, { maxOutputLength: limit });
  } catch {
    return null;
  }
}
