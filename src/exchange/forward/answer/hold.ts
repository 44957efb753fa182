import { type BufferLease, NO_LEASE } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { AnswerReceiver } from './receiver.ts';

/** A longer answer, in bytes, is not held: the client would get its beginning late, and memory is limited. */
const LONGEST_HELD = 64 * 1024;

/** An answer that takes longer than this after its head, in milliseconds, is relayed as it comes. */
const HELD_FOR_MS = 1_000;

/** The owner of a held answer. */
export interface HoldOwner {
  /** Begins to relay the answer. The rest of it goes to the receiver returned. */
  show(head: AnswerHead): AnswerReceiver;
  onInternalError(error: unknown): void;
}

/**
 * The beginning of an answer that the client has not seen. While it is held, the node may break the answer off and
 * the request can be sent again without the client's knowledge. A master that shuts down cuts its unfinished answers.
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

  /** Keeps a copy and releases the lease. */
  data(chunk: Buffer, lease: BufferLease): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    if (this.#bytes > LONGEST_HELD) this.#show();
    lease.release();
  }

  /** The answer is not complete yet; starts the timer. Most answers are complete with their first bytes. */
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

  /** Stops the timer. The answer is discarded, or another receiver has it. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #show(): AnswerReceiver {
    const relay = this.#owner.show(this.#head);
    for (const chunk of this.#chunks) relay.data(chunk, NO_LEASE);
    return relay;
  }
}
