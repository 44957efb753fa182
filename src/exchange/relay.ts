import type { Accounting } from './accounting.ts';
import type { ClientSide } from './client-side.ts';
import { answerHead, answerTrailers } from './header-policy.ts';

/** Sends one answer of Druid's on to the client as it comes, byte for byte, at the client's speed. */
export class Relay {
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #bodiless: boolean;
  readonly #resetIncomplete: boolean;
  #chunked = false;
  #announcesComplete = false;

  /** `resetIncomplete`: the client would not see a trailer that says that the answer is not whole. */
  constructor(client: ClientSide, account: Accounting, resetIncomplete: boolean) {
    this.#client = client;
    this.#account = account;
    this.#bodiless = client.head.method === 'HEAD';
    this.#resetIncomplete = resetIncomplete;
  }

  /** True when the answer is complete with its head, because the client asked with HEAD. */
  head(
    status: number,
    reason: string,
    raw: readonly string[],
    rewriteLocation: (location: string) => string,
  ): boolean {
    const { httpMinor } = this.#client.head;
    const head = answerHead(raw, { status, bodiless: this.#bodiless, httpMinor, rewriteLocation });
    this.#chunked = head.chunked;
    this.#announcesComplete = head.announcesComplete;
    this.#account.status = status;
    this.#account.queryId = head.queryId;
    this.#client.writeHead(status, reason, head.headers, head.hasDate);
    if (this.#bodiless) this.#client.end();
    return this.#bodiless;
  }

  data(chunk: Buffer): boolean {
    this.#account.bytesOut += chunk.byteLength;
    return this.#client.write(chunk);
  }

  end(raw: readonly string[]): void {
    const { trailers, incomplete } = answerTrailers(raw, this.#announcesComplete);
    if (incomplete) {
      this.#account.end = 'incomplete';
      if (this.#resetIncomplete) {
        this.#client.reset();
        return;
      }
    }
    this.#client.end(undefined, this.#chunked ? trailers : undefined);
  }

  /** The answer broke off: the client must not take what it has for all of it. */
  cut(): void {
    this.#account.end = 'upstream_cut';
    this.#client.reset();
  }
}
