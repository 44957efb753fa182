import type { IncomingMessage } from 'node:http';

const LF = 10;
const CR = 13;
const BLANK = 32;
const H = 72;

/** The part of a request that the next octet belongs to. */
type Place =
  | 'before'
  | 'method'
  | 'blanks'
  | 'target'
  | 'protocol'
  | 'line'
  | 'head'
  | 'counted'
  | 'chunked'
  | 'unknown';

/**
 * Tracks which part of a request the octets of a connection belong to, while Node's parser reads them. Refuses two
 * things that the parser accepts and RFC 9112 does not: protocols other than HTTP on the request line (RTSP, ICE;
 * section 2.3), and a CR without its LF before a request line (section 2.2). It reads only what it needs to find
 * where requests begin; the parser validates the rest.
 */
export class RequestPlaces {
  #place: Place = 'before';
  #afterCr = false;
  /** Octets of the current line so far, and whether the previous line had any. */
  #lineLength = 0;
  #lineBefore = false;
  /** Octets left of a body with a length. */
  #left = 0;
  #headEnds = false;
  #refused = false;

  /** No octet of a request has come since the last request ended. */
  get betweenRequests(): boolean {
    return this.#place === 'before';
  }

  /** The octet after the last piece cannot belong to HTTP/1.x. */
  get refused(): boolean {
    return this.#refused;
  }

  /**
   * Returns the end of the piece to give to the parser next, at most one request. Call `read` after the parser has
   * it.
   */
  next(chunk: Buffer, at: number): number {
    switch (this.#place) {
      case 'counted':
        return Math.min(chunk.length, at + this.#left);
      case 'unknown':
        return chunk.length;
      case 'head':
      case 'chunked':
        return this.#toEmptyLine(chunk, at);
      default:
        return this.#alongRequestLine(chunk, at);
    }
  }

  /** The parser has read `octets` octets; `incoming` is the request it produced last. */
  read(octets: number, incoming: IncomingMessage | null): void {
    if (this.#place === 'counted') {
      this.#left -= octets;
      if (this.#left === 0) this.#begin();
    } else if (this.#headEnds) {
      this.#headEnds = false;
      if (incoming === null || incoming.complete) this.#begin();
      else if (this.#place === 'head') this.#toBody(incoming);
    }
  }

  #begin(): void {
    this.#place = 'before';
    this.#afterCr = false;
  }

  #toBody({ headers }: IncomingMessage): void {
    this.#left = Number(headers['content-length']);
    if (headers['transfer-encoding'] !== undefined) this.#place = 'chunked';
    else this.#place = this.#left > 0 ? 'counted' : 'unknown';
  }

  #alongRequestLine(chunk: Buffer, at: number): number {
    for (let i = at; i < chunk.length; i++) {
      if (!this.#step(chunk[i] ?? 0)) {
        this.#refused = true;
        return i;
      }
      if (this.#place === 'head') return this.#toEmptyLine(chunk, i + 1);
    }
    return chunk.length;
  }

  /** Takes one octet of a request line, or one before it; false if it cannot stand there. */
  #step(octet: number): boolean {
    if (this.#place === 'before') {
      if (octet !== LF && this.#afterCr) return false;
      this.#afterCr = octet === CR;
      if (octet !== CR && octet !== LF) this.#place = 'method';
      return true;
    }
    if (octet === LF) {
      this.#place = 'head';
      this.#lineLength = 0;
      this.#lineBefore = true;
    } else if (this.#place === 'protocol') {
      if (octet === BLANK) return true;
      if (octet !== H && octet !== CR) return false;
      this.#place = 'line';
    } else if (octet === BLANK) {
      if (this.#place === 'method') this.#place = 'blanks';
      else if (this.#place === 'target') this.#place = 'protocol';
    } else if (this.#place === 'blanks') this.#place = 'target';
    return true;
  }

  /**
   * Returns the position after the first empty line, which ends a head or possibly a chunked body. Of several empty
   * lines in a row only the first can.
   */
  #toEmptyLine(chunk: Buffer, at: number): number {
    for (let from = at; from < chunk.length; ) {
      const end = chunk.indexOf(LF, from);
      if (end === -1) {
        this.#lineLength += chunk.length - from;
        return chunk.length;
      }
      const isEmpty = this.#lineLength + end - from <= 1;
      const ends = isEmpty && this.#lineBefore;
      this.#lineLength = 0;
      this.#lineBefore = !isEmpty;
      from = end + 1;
      if (ends) {
        this.#headEnds = true;
        return from;
      }
    }
    return chunk.length;
  }
}
