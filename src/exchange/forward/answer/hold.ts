import { type BufferLease, NO_LEASE } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { AnswerReceiver } from './receiver.ts';

/** An answer as long as this is not held: what comes first would be late, and memory is finite. */
const LONGEST_HELD = 64 * 1024;

/** An answer that takes longer than this in milliseconds after its head is shown as it comes. */
const HELD_FOR_MS = 1_000;

/** Whom an answer that is held goes to. */
export interface HoldOwner {
  /** Begins to relay the answer; what follows goes to the receiver that this returns. */
  show(head: AnswerHead): AnswerReceiver;
  onInternalError(error: unknown): void;
}

/**
 * The beginning of an answer that its client has not seen. While it is held, the node may still break it off and
 * the request be sent again without the client's knowledge: a master that ends cuts answers it has begun.
 */
export class Hold implements AnswerReceiver {
  readonly #head: AnswerHead;
  readonly #owner: HoldOwner;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(head: AnswerHead, owner: HoldOwner) {
    this.#head = head;
    this.#owner = owner;
  }

  /** Keeps a copy. */
  data(chunk: Buffer, lease: BufferLease): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    if (this.#bytes > LONGEST_HELD) this.#show();
    lease.release();
  }

  /** More is to come; most answers are whole with their first bytes. */
  rest(): void {
    this.#timer ??= setTimeout(() => {
      try {
        this.#show().rest();
      } catch (error) {
        this.#owner.onInternalError(error);
      }
    }, HELD_FOR_MS);
  }

  end(trailers: HeaderBlock): void {
    this.#show().end(trailers);
  }

  /** It is as if the answer had never come, or somebody else has it. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #show(): AnswerReceiver {
    const relay = this.#owner.show(this.#head);
    for (const chunk of this.#chunks) relay.data(chunk, NO_LEASE);
    return relay;
  }
}
