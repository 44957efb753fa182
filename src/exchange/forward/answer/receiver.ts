import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';

/** Who gets the answer of a node, once its head is there. */
export interface AnswerReceiver {
  /** The bytes are the receiver's until it gives the lease back, which it must. */
  data(chunk: Buffer, lease: BufferLease): void;
  /** That was all that has come for now. */
  rest(): void;
  /** The answer is whole. */
  end(trailers: HeaderBlock): void;
}
