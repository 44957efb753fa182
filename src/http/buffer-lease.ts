/** Bytes that are on loan: their memory is used again as soon as it is given back. */
export interface Loan {
  /** Gives the bytes back; once. Until then whoever lent them may hold back more. */
  release(): void;
}

/** For bytes that are nobody else's. */
export const NO_LOAN: Loan = { release() {} };
