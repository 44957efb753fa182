import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';

/** Receives a node's answer after its head. */
export interface AnswerReceiver {
  /** The receiver owns the bytes until it releases the lease, which it must do. */
  data(chunk: Buffer, lease: BufferLease): void;
  /** No more data has arrived for now. */
  rest(): void;
  /** The answer is complete. */
  end(trailers: HeaderBlock): void;
}
