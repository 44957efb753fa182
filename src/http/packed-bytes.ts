/** A piece below this many bytes is copied into a block: by itself it would take many times its size. */
const SMALL = 4 * 1024;
/** Blocks grow with what is kept, so that they are never much larger than it. */
const FIRST_BLOCK = 1024;
const LARGEST_BLOCK = 16 * 1024;

/** Bytes that came in pieces, kept in memory that is in proportion to them, however small the pieces were. */
export class PackedBytes {
  #pieces: Buffer[] = [];
  /** What small pieces are copied into, from `#from` to `#at` not yet among the pieces. */
  #block: Buffer | null = null;
  #from = 0;
  #at = 0;
  #length = 0;
  #size = 0;

  /** How many bytes have come. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes of memory they take, the room for more in the last block included. */
  get size(): number {
    return this.#size;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    const isOwn = piece.buffer.byteLength <= 2 * piece.length;
    const [first] = this.#pieces;
    if (this.#length === 0 && isOwn) {
      // Most bodies come in one piece, which is packed only if there are more.
      this.#keep(piece);
      return;
    }
    if (first !== undefined && first.length < SMALL && this.#block === null) {
      this.clear();
      this.#pack(first);
    }
    if (piece.length < SMALL) this.#pack(piece);
    else {
      this.#seal();
      // A piece of a much larger buffer would keep all of that.
      this.#keep(isOwn ? piece : copyOf(piece));
    }
  }

  /** All that has come, in few pieces. */
  pieces(): readonly Buffer[] {
    this.#seal();
    return this.#pieces;
  }

  /** The same as one buffer. */
  whole(): Buffer {
    const pieces = this.pieces();
    const [first] = pieces;
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces, this.#length);
  }

  clear(): void {
    this.#pieces = [];
    this.#block = null;
    this.#from = 0;
    this.#at = 0;
    this.#length = 0;
    this.#size = 0;
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#size += piece.length;
  }

  #pack(piece: Buffer): void {
    for (let done = 0; done < piece.length; ) {
      const block = this.#room();
      const copied = piece.copy(block, this.#at, done);
      this.#at += copied;
      this.#length += copied;
      done += copied;
    }
  }

  #room(): Buffer {
    if (this.#block !== null && this.#at < this.#block.length) return this.#block;
    this.#seal();
    const block = Buffer.allocUnsafeSlow(Math.min(LARGEST_BLOCK, Math.max(FIRST_BLOCK, this.#size)));
    this.#block = block;
    this.#from = 0;
    this.#at = 0;
    this.#size += block.length;
    return block;
  }

  /** What is in the block becomes a piece; the rest of the block is filled on. */
  #seal(): void {
    if (this.#block === null || this.#from === this.#at) return;
    this.#pieces.push(this.#block.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }
}

function copyOf(piece: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  return copy;
}
