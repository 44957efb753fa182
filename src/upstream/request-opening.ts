import { inOnePiece } from '../http/one-piece.ts';

/** A longer target, in characters, is not remembered, so that the memory used is bounded. */
const LONGEST_TARGET = 512;

/** Writes the first lines of requests to one node. Most of them are like the last one's, so these are remembered. */
export class RequestOpening {
  readonly #hostAndPort: string;
  #method = '';
  #target = '';
  #text = '';
  /** They have been asked for again. */
  #repeated = false;

  constructor(hostAndPort: string) {
    this.#hostAndPort = hostAndPort;
  }

  /** Returns the request line and `Host`. */
  of(method: string, target: string): string {
    if (target !== this.#target || method !== this.#method) {
      const text = `${method} ${target} HTTP/1.1\r\nHost: ${this.#hostAndPort}\r\n`;
      if (target.length <= LONGEST_TARGET) {
        this.#method = method;
        this.#target = target;
        this.#text = text;
        this.#repeated = false;
      }
      return text;
    }
    if (!this.#repeated) {
      this.#repeated = true;
      this.#text = inOnePiece(this.#text);
    }
    return this.#text;
  }
}
