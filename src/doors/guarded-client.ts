import type { ClientEvents, RequestHead } from '../exchange/ports/client.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { BufferLease } from '../http/buffer-lease.ts';

/**
 * Base of the requests of both doors. Any call into the exchange may throw; the error then fails that request and
 * never reaches the socket or timer that made the call.
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

  /** The exchange knows that nothing more follows. */
  get over(): boolean {
    return this.#over;
  }

  listen(events: ClientEvents): void {
    this.#events = events;
  }

  /** Destroys the connection in any state. */
  abstract destroy(): void;

  /** A call into the exchange threw `error`. Fails the request, or the connection if the request is over. */
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

  /** Ends the connection: the door's own code threw, or no request is left to fail. */
  protected failConnection(error: unknown): void {
    this.#errors.report('client', error, this.head.id);
    this.destroy();
  }

  /** Tells the exchange once that nothing follows; false if that threw and so ended the connection. */
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

  /** Releases a lease; an error fails the request. */
  protected giveBack(lease: BufferLease): void {
    try {
      lease.release();
    } catch (error) {
      this.failRequest(error);
    }
  }

  /** The exchange answered a second time. A complete first answer goes on; a partial one is cut. */
  protected answeredTwice(): void {
    this.failRequest(new Error('a request was answered twice'));
    this.reset();
  }

  /** Cuts the connection, unless the answer is whole. */
  abstract reset(): void;
}
