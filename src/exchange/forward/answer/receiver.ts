import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';

/** Receives a node's answer after its head. */
export interface AnswerReceiver {
  /**
   * The receiver owns the bytes until it releases the lease, which it must do. `text`: the bytes as text with one
   * character for each octet, if it is there already.
   */
  data(chunk: Buffer, lease: BufferLease, text?: string | null): void;
  /** No more data has arrived for now. */
  rest(): void;
  /** The answer is complete. */
  end(trailers: HeaderBlock): void;
}
