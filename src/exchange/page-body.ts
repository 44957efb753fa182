import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { Accounting } from './accounting.ts';
import { failRequest } from './internal-error.ts';
import type { ClientEvents, ClientSide } from './ports/client.ts';

/** What follows on the body of a request for a page. */
export interface PageBodyOwner {
  /** It has come whole, so the request is a sound one. */
  onWhole(): void;
  /** It is longer than it may be. */
  onTooLong(): void;
}

/**
 * Reads the body of a request for a page of the console, and keeps nothing of it: to a page it says nothing. A node is
 * asked only once the request is known to be a sound one (RFC 9112 6.3).
 */
export class PageBody implements ClientEvents {
  readonly #errors: InternalErrors;
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #owner: PageBodyOwner;
  #left: number;
  #over = false;

  /** `account` has the record of a client that leaves meanwhile; `most` is in bytes. */
  constructor(
    errors: InternalErrors,
    client: ClientSide,
    account: Accounting,
    most: number,
    owner: PageBodyOwner,
  ) {
    this.#errors = errors;
    this.#client = client;
    this.#account = account;
    this.#left = most;
    this.#owner = owner;
    client.listen(this);
  }

  read(): void {
    contain(
      () => {
        const { body } = this.#client;
        this.#client.invite();
        body.deliver(
          (chunk) => this.#take(chunk),
          () => this.#end(() => this.#owner.onWhole()),
        );
        body.resume();
      },
      (error) => this.onInternalError(error),
    );
  }

  onClose(finished: boolean): void {
    this.#over = true;
    this.#account.onClose(finished);
  }

  onInternalError(error: unknown): void {
    this.#over = true;
    failRequest(this.#errors, this.#client, this.#account, error);
  }

  #take(chunk: Buffer): void {
    this.#left -= chunk.length;
    if (this.#left < 0) this.#end(() => this.#owner.onTooLong());
  }

  #end(then: () => void): void {
    if (this.#over) return;
    this.#over = true;
    then();
  }
}
