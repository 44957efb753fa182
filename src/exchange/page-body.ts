import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { Accounting } from './accounting.ts';
import { failRequest } from './internal-error.ts';
import type { ClientEvents, ClientSide } from './ports/client.ts';

/** What to do once a page request's body has been read. */
export interface PageBodyOwner {
  /** The body has arrived completely, so the request is sound. */
  onWhole(): void;
  /** The body exceeds the limit. */
  onTooLong(): void;
}

/**
 * Reads the body of a request for a console page, and discards it: it means nothing to a page. A node is asked only
 * once the request is known to be sound (RFC 9112 6.3).
 */
export class PageBody implements ClientEvents {
  readonly #errors: InternalErrors;
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #owner: PageBodyOwner;
  #left: number;
  #over = false;

  /** `account` makes the record if the client leaves during the read. `most` is the limit in bytes. */
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
