import type { AnswerHead } from '../../../http/response-head.ts';

/** An answer as long as this is not held: what comes first would be late, and memory is finite. */
const LONGEST_HELD = 64 * 1024;

/** An answer that takes longer than this in milliseconds after its head is shown as it comes. */
const HELD_FOR_MS = 1_000;

/**
 * The beginning of an answer that its client has not seen. While it is held, the node may still break it off and
 * the request be sent again without the client's knowledge: a master that ends cuts answers it has begun.
 */
export class HeldAnswer {
  readonly head: AnswerHead;
  readonly chunks: Buffer[] = [];
  readonly #late: () => void;
  #timer: NodeJS.Timeout | null = null;
  #bytes = 0;

  /** `late` is called once when the answer takes too long after `wait`, unless `end` was called before. */
  constructor(head: AnswerHead, late: () => void) {
    this.head = head;
    this.#late = late;
  }

  /** Keeps a copy of a part; false when there is now more than is held. */
  keep(chunk: Buffer): boolean {
    this.chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    return this.#bytes <= LONGEST_HELD;
  }

  /** More is to come; most answers are whole with their first bytes. */
  wait(): void {
    this.#timer ??= setTimeout(this.#late, HELD_FOR_MS);
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
