import type { BufferLease } from '../http/buffer-lease.ts';

/** What ordinary answers are read into; each connection has one of its own. */
const SMALL_BYTES = 16 * 1024;
/** What long answers are read into: fewer turns for the same bytes. */
const LARGE_BYTES = 512 * 1024;
/** What they are read into while many large ones are lent: clients that do not read keep no more than two of these. */
const MEDIUM_BYTES = 64 * 1024;
/** So many large ones may be lent before others get medium ones. */
const MOST_LARGE_LENT = 8;
/** So many are kept for whoever needs one next. */
const SMALL_KEPT = 256;
const MEDIUM_KEPT = 32;
const LARGE_KEPT = 8;

/** Who reads into a buffer, and learns when all its pieces have come back. */
export interface BufferOwner {
  onReturned(): void;
}

/** Memory that is read into and whose pieces are lent to whoever takes them. */
export class ReadBuffer implements BufferLease {
  readonly bytes: Buffer;
  readonly #pool: Pool | null;
  #owner: BufferOwner | null = null;
  #borrowed = 0;
  #reading = false;

  /** Goes to `pool` when all its pieces have come back. */
  constructor(bytes: Buffer, pool: Pool | null = null) {
    this.bytes = bytes;
    this.#pool = pool;
  }

  /** What was read into it is looked at now; what comes back meanwhile is not told. */
  open(owner: BufferOwner): void {
    this.#owner = owner;
    this.#reading = true;
  }

  /** False when pieces of it are still out. */
  close(): boolean {
    this.#reading = false;
    return this.#borrowed === 0;
  }

  /** Pieces of it are out. */
  get isOut(): boolean {
    return this.#borrowed > 0;
  }

  /** Another piece of it is lent. */
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

  /** Nobody needs it any more. */
  dispose(): void {
    this.#pool?.put(this);
  }
}

/** Where connections have their buffers from. */
export interface ReadBuffers {
  small(): ReadBuffer;
  /** A smaller one while many are lent. */
  large(): ReadBuffer;
}

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
  /** How many of its buffers have pieces out. */
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
