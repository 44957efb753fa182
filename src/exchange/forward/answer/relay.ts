import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';
import { answerTrailers, relayedHead } from '../../../http/response-framing.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import type { Accounting } from '../../accounting.ts';
import type { ClientSide } from '../../ports/client.ts';
import type { AnswerReceiver } from './receiver.ts';

const COMPLETE = /\bx-druid-response-complete\b/i;

/** Sends one answer of Druid's on to the client as it comes, byte for byte, at the client's speed. */
export class Relay implements AnswerReceiver {
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #bodiless: boolean;
  readonly #resetIncomplete: boolean;
  #chunked = false;
  /** A trailer is to say whether the answer is whole. */
  #announced = false;

  /** `resetIncomplete`: the client would not see a trailer that says that the answer is not whole. */
  constructor(client: ClientSide, account: Accounting, resetIncomplete: boolean) {
    this.#client = client;
    this.#account = account;
    this.#bodiless = client.head.method === 'HEAD';
    this.#resetIncomplete = resetIncomplete;
  }

  /** True when the answer is complete with its head, because the client asked with HEAD. */
  head(head: AnswerHead, rewriteLocation: (location: string) => string): boolean {
    const { httpMinor } = this.#client.head;
    const { headers, chunked } = relayedHead(head, { bodiless: this.#bodiless, httpMinor, rewriteLocation });
    this.#chunked = chunked;
    this.#announced = chunked && head.trailer !== null && COMPLETE.test(head.trailer);
    this.#account.status = head.status;
    this.#account.queryId = head.queryId ?? head.sqlQueryId;
    this.#client.writeHead(head.status, head.reason, headers, head.hasDate, chunked);
    if (this.#bodiless) this.#client.end();
    return this.#bodiless;
  }

  data(chunk: Buffer, lease: BufferLease): void {
    this.#account.bytesOut += chunk.byteLength;
    this.#client.write(chunk, lease);
  }

  rest(): void {
    this.#client.flush();
  }

  end(block: HeaderBlock): void {
    const { trailers, incomplete } = answerTrailers(block, this.#announced);
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
