/** Bytes on lease: their memory is used again as soon as it is given back. */
export interface BufferLease {
  /** Gives the bytes back; once. Until then whoever lent them may hold back more. */
  release(): void;
}

/** For bytes that are nobody else's. */
export const NO_LEASE: BufferLease = { release() {} };
