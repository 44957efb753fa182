import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { AnswerReceiver } from './receiver.ts';

/** Takes an answer of Druid's in the client's stead, for answers that the gateway completes itself. */
export interface ResponseCollector {
  /** False leaves the answer to be relayed. True begins anew, if an answer before this one broke off. */
  accepts(head: AnswerHead): boolean;
  /** The bytes are not to be kept. */
  onData(chunk: Buffer): void;
  /** The answer is whole: answers the client. */
  onEnd(): void;
}

/** Hands an answer to the collector that completes it. */
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
