/** A smaller piece, in bytes, is left to the garbage collector: it may be a part of memory that others use. */
const LEAST = 16 * 1024;

/** Whether a piece that Node.js has read is all there is in its memory. */
export function hasOwnMemory(chunk: Buffer): boolean {
  const { buffer, length } = chunk;
  return length >= LEAST && length === buffer.byteLength && buffer instanceof ArrayBuffer;
}

/**
 * Gives the memory of a piece back at once, which the garbage collector would do much later; the piece is empty from then
 * on. Precondition: `hasOwnMemory`, and nobody uses it any more.
 */
export function freeChunk(chunk: Buffer): void {
  (chunk.buffer as ArrayBuffer).transfer(0);
}
