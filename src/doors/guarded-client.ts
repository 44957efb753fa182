import type { ClientEvents, RequestHead } from '../exchange/ports/client.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { BufferLease } from '../http/buffer-lease.ts';

/**
 * What the requests of both doors have in common: whatever a door calls of the exchange may throw, and then it is the
 * exchange's own request that fails. Nothing of it reaches the socket or timer that called.
 */
export abstract class GuardedClient {
  readonly head: RequestHead;
  readonly #errors: InternalErrors;
  #events: ClientEvents | null = null;
  #over = false;

  constructor(head: RequestHead, errors: InternalErrors) {
    this.head = head;
    this.#errors = errors;
  }

  /** The exchange has been told that nothing follows. */
  get over(): boolean {
    return this.#over;
  }

  listen(events: ClientEvents): void {
    this.#events = events;
  }

  /** Ends the connection, whatever state it is in. */
  abstract destroy(): void;

  /** Something that the exchange was called for threw `error`: it ends the request, as long as there is one. */
  failRequest(error: unknown): void {
    const events = this.#events;
    if (events === null || this.#over) {
      this.failConnection(error);
      return;
    }
    try {
      events.onInternalError(error);
    } catch (thrown) {
      this.failConnection(thrown);
    }
  }

  /** Something of the door's own threw, or nobody is left who could end the request: that ends the connection. */
  protected failConnection(error: unknown): void {
    this.#errors.report('client', error, this.head.id);
    this.destroy();
  }

  /** Says once that nothing follows; false where the connection has been ended because that threw. */
  protected tellClose(finished: boolean): boolean {
    if (this.#over) return true;
    this.#over = true;
    try {
      this.#events?.onClose(finished);
      return true;
    } catch (error) {
      this.failConnection(error);
      return false;
    }
  }

  /** Gives a lease back. */
  protected giveBack(lease: BufferLease): void {
    try {
      lease.release();
    } catch (error) {
      this.failRequest(error);
    }
  }

  /** The exchange answers a second time. The first answer goes on if it is whole; if it is not, it never will be. */
  protected answeredTwice(): void {
    this.failRequest(new Error('a request was answered twice'));
    this.reset();
  }

  /** Cuts the connection, unless the answer is whole. */
  abstract reset(): void;
}
