import { type BufferLease, NO_LEASE } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { AnswerReceiver } from './receiver.ts';

/** A longer answer, in bytes, is relayed as it comes; Druid's error with its stacks has some kilobytes. */
const LONGEST = 64 * 1024;

/** Who decides about an answer. */
export interface WholeOwner {
  /** Begins to relay the answer. The rest of it goes to the receiver returned. */
  show(head: AnswerHead): AnswerReceiver;
  /** The answer is here, and the client has seen nothing of it. */
  onWhole(answer: WholeAnswer): void;
}

/** An answer that is decided about when it is here whole. */
export class WholeAnswer implements AnswerReceiver {
  readonly head: AnswerHead;
  readonly #owner: WholeOwner;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #trailers: HeaderBlock = '';

  constructor(head: AnswerHead, owner: WholeOwner) {
    this.head = head;
    this.#owner = owner;
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Keeps a copy and releases the lease. */
  data(chunk: Buffer, lease: BufferLease): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    lease.release();
    if (this.#bytes > LONGEST) this.#relay();
  }

  rest(): void {}

  end(trailers: HeaderBlock): void {
    this.#trailers = trailers;
    this.#owner.onWhole(this);
  }

  /** Gives the client all of it. Precondition: it is here whole. */
  show(): void {
    this.#relay().end(this.#trailers);
  }

  #relay(): AnswerReceiver {
    const relay = this.#owner.show(this.head);
    for (const chunk of this.#chunks) relay.data(chunk, NO_LEASE);
    return relay;
  }
}
