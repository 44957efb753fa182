import type { RepeatedHead } from '../../exchange/ports/client.ts';
import { type RequestFields, readRequestFields } from '../../http/request-fields.ts';
import { type PlainHead, plainHead } from './plain-head.ts';

/** A plain head, and what its lines say. */
export interface ReadHead extends PlainHead {
  readonly fields: RequestFields;
  /** Null unless the connection has sent the same head before. */
  readonly repeated: RepeatedHead | null;
}

/** A head that came with more text than this, in characters, is not remembered: it would stay with an idle connection. */
const LONGEST_REMEMBERED = 2 * 1024;

function nothingYet(): RepeatedHead {
  return { policy: null, origin: null, sent: null };
}

/**
 * Reads the heads of one connection. A client mostly repeats itself, so the last head that is not too long is remembered
 * and the same text is not read again.
 */
export class HeadReader {
  #text = '';
  #head: ReadHead | null = null;

  /** Returns the plain head at the beginning of `text` (one character per octet), or null. */
  read(text: string): ReadHead | null {
    // A whole head is followed by nothing that could change it.
    if (this.#head !== null && text.slice(0, this.#head.length) === this.#text) {
      if (this.#head.repeated === null) this.#head = { ...this.#head, repeated: nothingYet() };
      return this.#head;
    }
    const found = plainHead(text);
    if (found === null) return null;
    const { method, target, block, length } = found;
    const head = { method, target, block, length, fields: readRequestFields(block), repeated: null };
    if (text.length <= LONGEST_REMEMBERED) {
      this.#text = text.slice(0, length);
      this.#head = head;
    }
    return head;
  }
}
