import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { AnswerReceiver } from './receiver.ts';

/** Receives Druid's answer in place of the client, for answers that the gateway completes itself. */
export interface ResponseCollector {
  /**
   * Whether to collect this answer; otherwise it is relayed. Collecting starts over if an earlier answer broke off.
   */
  accepts(head: AnswerHead): boolean;
  /** The collector must copy the bytes that it keeps. */
  onData(chunk: Buffer): void;
  /** The answer is complete: answers the client. */
  onEnd(): void;
}

/** Passes an answer to the collector that completes it. */
export class Collect implements AnswerReceiver {
  readonly #collector: ResponseCollector;
  readonly #onWhole: () => void;

  /** `onWhole` is called before the collector answers. */
  constructor(collector: ResponseCollector, onWhole: () => void) {
    this.#collector = collector;
    this.#onWhole = onWhole;
  }

  data(chunk: Buffer, lease: BufferLease): void {
    this.#collector.onData(chunk);
    lease.release();
  }

  rest(): void {}

  end(): void {
    this.#onWhole();
    this.#collector.onEnd();
  }
}
