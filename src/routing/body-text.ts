import { gunzipSync } from 'node:zlib';

/**
 * Returns a request's body, inflated if it is gzip. Null if the gzip is broken, or if the text exceeds `limit`
 * bytes. Gzip is recognised by its magic number, which no JSON, Smile or SQL starts with.
 */
export function plainBody(body: Buffer, limit: number): Buffer | null {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body.length > limit ? null : body;
  try {
    return gunzipSync(body, { maxOutputLength: limit });
  } catch {
    return null;
  }
}
