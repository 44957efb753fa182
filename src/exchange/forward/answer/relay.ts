import type { BufferLease } from '../../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../../http/header-block.ts';
import {
  type AnswerContext,
  answerTrailers,
  interimHeaders,
  relayedHead,
} from '../../../http/response-framing.ts';
import type { AnswerHead } from '../../../http/response-head.ts';
import { toldId } from '../../../routing/query-context.ts';
import type { Accounting } from '../../accounting.ts';
import type { ClientSide } from '../../ports/client.ts';
import type { AnswerReceiver } from './receiver.ts';

const COMPLETE = /\bx-druid-response-complete\b/i;

/** Knows which of an answer's locations are nodes (`AnswerContext`). */
export interface LocationRewriter {
  rewriteLocation(location: string): string;
}

/** Relays one of Druid's answers to the client as it comes, byte for byte, at the client's speed. */
export class Relay implements AnswerReceiver, AnswerContext {
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #locations: LocationRewriter;
  readonly #resetIncomplete: boolean;
  readonly bodiless: boolean;
  readonly httpMinor: number;
  readonly showsNode: boolean;
  #chunked = false;
  /** A trailer will say whether the answer is complete. */
  #announced = false;

  /**
   * `resetIncomplete`: reset the client if a trailer says that the answer is incomplete, because the client cannot
   * see the trailer. `showsNode`: the client may see which node answered.
   */
  constructor(
    client: ClientSide,
    account: Accounting,
    locations: LocationRewriter,
    resetIncomplete: boolean,
    showsNode: boolean,
  ) {
    this.#client = client;
    this.#account = account;
    this.#locations = locations;
    this.#resetIncomplete = resetIncomplete;
    this.bodiless = client.head.method === 'HEAD';
    this.httpMinor = client.head.httpMinor;
    this.showsNode = showsNode;
  }

  rewriteLocation(location: string): string {
    return this.#locations.rewriteLocation(location);
  }

  /** Sends the head. Returns true if that completes the answer because the client asked with HEAD. */
  head(head: AnswerHead): boolean {
    const { headers, chunked } = relayedHead(head, this);
    this.#chunked = chunked;
    this.#announced = chunked && head.trailer !== null && COMPLETE.test(head.trailer);
    this.#account.status = head.status;
    const { queryId, sqlQueryId } = head;
    const told = toldId(queryId) ?? toldId(sqlQueryId);
    this.#account.queryId = told ?? this.#account.queryId ?? queryId ?? sqlQueryId;
    this.#client.writeHead(head.status, head.reason, headers, head.hasDate, chunked);
    if (this.bodiless) this.#client.end();
    return this.bodiless;
  }

  /** Relays an interim answer (1xx), but not to an HTTP/1.0 client, which would take it for the final answer. */
  interim(head: AnswerHead): void {
    if (this.httpMinor === 0) return;
    this.#client.writeInterim(head.status, interimHeaders(head, this));
  }

  data(chunk: Buffer, lease: BufferLease, text?: string | null): void {
    this.#account.bytesOut += chunk.byteLength;
    this.#client.write(chunk, lease, text);
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

  /** The answer broke off. Resets the client, so it cannot take the part that it has for the whole answer. */
  cut(): void {
    this.#account.end = 'upstream_cut';
    this.#client.reset();
  }
}
