/** Borrowed bytes, whose memory is reused as soon as they are returned. */
export interface BufferLease {
  /** Returns the bytes. Call it once; until then the lender may hold back further ones. */
  release(): void;
}

/** For bytes that are not borrowed. */
export const NO_LEASE: BufferLease = { release() {} };
