import type { BufferLease } from '../http/buffer-lease.ts';

/** Buffer for ordinary answers, in bytes; each connection has its own. */
const SMALL_BYTES = 16 * 1024;
/** Buffer for long answers, in bytes; the same answer takes fewer event-loop turns. */
const LARGE_BYTES = 512 * 1024;
/**
 * Buffer for long answers while many large ones are lent, in bytes. A client that does not read holds at most two.
 */
const MEDIUM_BYTES = 64 * 1024;
/** Once this many large buffers are lent, long answers get medium ones. */
const MOST_LARGE_LENT = 8;
/** Spare buffers kept of each size. */
const SMALL_KEPT = 256;
const MEDIUM_KEPT = 32;
const LARGE_KEPT = 8;

/** The connection that fills the buffer. It is told when the last lent piece has been returned. */
export interface BufferOwner {
  onReturned(): void;
}

/** A buffer that a connection reads into, and lends in pieces. */
export class ReadBuffer implements BufferLease {
  readonly bytes: Buffer;
  readonly #pool: Pool | null;
  #owner: BufferOwner | null = null;
  #borrowed = 0;
  #reading = false;

  /** The buffer returns to `pool` once all its pieces have come back. */
  constructor(bytes: Buffer, pool: Pool | null = null) {
    this.bytes = bytes;
    this.#pool = pool;
  }

  /** Begins processing the bytes read; pieces returned meanwhile are not reported to the owner. */
  open(owner: BufferOwner): void {
    this.#owner = owner;
    this.#reading = true;
  }

  /** Ends processing; false if pieces are still lent. */
  close(): boolean {
    this.#reading = false;
    return this.#borrowed === 0;
  }

  /** Pieces of the buffer are lent. */
  get isOut(): boolean {
    return this.#borrowed > 0;
  }

  /** Lends another piece. */
  borrow(): this {
    if (this.#borrowed++ === 0 && this.#pool !== null) this.#pool.lent++;
    return this;
  }

  release(): void {
    this.#borrowed--;
    if (this.#borrowed > 0) return;
    if (this.#pool !== null) this.#pool.lent--;
    if (this.#reading) return;
    this.dispose();
    this.#owner?.onReturned();
  }

  /** Puts the buffer back into its pool. */
  dispose(): void {
    this.#pool?.put(this);
  }
}

/** The source of connections' read buffers. */
export interface ReadBuffers {
  small(): ReadBuffer;
  /** Returns a medium buffer while many large ones are lent. */
  large(): ReadBuffer;
}

/** Creates pools of small, medium and large read buffers. */
export function createReadBuffers(): ReadBuffers {
  const small = createPool(SMALL_BYTES, SMALL_KEPT);
  const medium = createPool(MEDIUM_BYTES, MEDIUM_KEPT);
  const large = createPool(LARGE_BYTES, LARGE_KEPT);
  return {
    small: small.take,
    large: () => (large.lent < MOST_LARGE_LENT ? large.take() : medium.take()),
  };
}

interface Pool {
  /** Number of buffers with pieces lent. */
  lent: number;
  take(): ReadBuffer;
  put(buffer: ReadBuffer): void;
}

function createPool(bytes: number, kept: number): Pool {
  const spare: ReadBuffer[] = [];
  const pool: Pool = {
    lent: 0,
    take: () => spare.pop() ?? new ReadBuffer(Buffer.allocUnsafeSlow(bytes), pool),
    put(buffer) {
      if (spare.length < kept) spare.push(buffer);
    },
  };
  return pool;
}
