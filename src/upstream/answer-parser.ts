import type { HeaderBlock } from '../http/header-block.ts';
import { type AnswerHead, readAnswerHead } from '../http/response-head.ts';

/** Receives what the parser reads, in order. */
export interface AnswerSink {
  /** An interim answer (1xx) other than 100, which the gateway never waits for. */
  onInterim?(head: AnswerHead): void;
  onHead(head: AnswerHead): void;
  /**
   * `buffer[from, to)` is a piece of the body; `text` is the same with one character for each octet, if it is there
   * already.
   */
  onBody(buffer: Buffer, from: number, to: number, text: string | null): void;
  /** The answer is complete. `reusable`: the connection may carry another request. */
  onWhole(trailers: HeaderBlock, reusable: boolean): void;
  /** The bytes are not an answer, or other parsers might read them differently. Nothing follows. */
  onMalformed(): void;
}

type State = 'idle' | 'head' | 'counted' | 'until-end' | 'size' | 'data' | 'data-end' | 'trailers' | 'dead';

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t -~\x80-\xff]*))?\r\n/;
/** Header or trailer lines, and the empty line behind them. */
const HEADER_LINES = /(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n/y;
/** At most eight digits; valid extensions are skipped (RFC 9112 7.1.1). */
const CHUNK_SIZE =
  /^([\da-f]{1,8})(?:[\t ]*;[\t ]*[!#$%&'*+\-.^_`|~\w]+(?:[\t ]*=[\t ]*(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/i;
const LONGEST_SIZE_LINE = 256;
const MOST_SIZE_DIGITS = 8;
const NO_DIGIT = 255;
/** The value of each octet that is a hexadecimal digit. */
const HEX_DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (const digit of '0123456789abcdefABCDEF') HEX_DIGITS[digit.charCodeAt(0)] = Number.parseInt(digit, 16);
/** The first look for a head covers this many bytes, enough for an ordinary one and a short body. */
const FIRST_LOOK = 1024;
const CR = 13;
const LF = 10;

/**
 * Parses the answers on one connection to a node. It is strict: anything ambiguous is malformed. It keeps no fed
 * buffer. Body pieces are passed on as they come, without chunk framing.
 */
export class AnswerParser {
  readonly #sink: AnswerSink;
  readonly #maxHeadBytes: number;
  #state: State = 'idle';
  #pending = '';
  #left = 0;
  #reusable = false;
  #consumed = 0;
  /** The beginning of what is being fed, from `#textAt` on, if it was made into text to read a head. */
  #text = '';
  #textAt = 0;
  /** Trailers of the answer that has just ended. */
  #ended: HeaderBlock | null = null;

  /** `maxHeadBytes` limits a head, and a trailer section. */
  constructor(sink: AnswerSink, maxHeadBytes: number) {
    this.#sink = sink;
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** Call when a request goes out, before its answer can come. */
  expect(): void {
    this.#state = 'head';
    this.#pending = '';
  }

  /** Call when the connection has ended; true if that ended the answer's body. */
  end(): boolean {
    if (this.#state !== 'until-end') return false;
    this.#state = 'idle';
    this.#sink.onWhole('', false);
    return true;
  }

  /** Reads `buffer[0, length)`. */
  feed(buffer: Buffer, length: number): void {
    this.#read(buffer, length);
    this.#text = '';
    this.#textAt = 0;
  }

  #read(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      switch (this.#state) {
        case 'head':
          at = this.#head(buffer, at, length);
          break;
        case 'counted':
        case 'data': {
          const to = Math.min(length, at + this.#left);
          this.#left -= to - at;
          const ends = this.#left === 0;
          const counted = this.#state === 'counted';
          this.#sink.onBody(buffer, at, to, this.#known(at, to));
          at = to;
          // The sink may have given up the connection.
          if (this.#isDead()) return;
          if (!ends) break;
          if (counted) this.#whole('');
          else this.#state = 'data-end';
          break;
        }
        case 'until-end':
          this.#sink.onBody(buffer, at, length, null);
          return;
        case 'size':
          at = this.#size(buffer, at, length);
          break;
        case 'data-end':
          at = this.#dataEnd(buffer, at, length);
          break;
        case 'trailers':
          at = this.#trailers(buffer, at, length);
          break;
        case 'idle':
          // No request is waiting for an answer.
          this.#malformed();
          return;
        case 'dead':
          return;
      }
      const trailers = this.#ended;
      if (trailers !== null) {
        this.#ended = null;
        // Bytes after the answer could be taken for the answer to the next request, so the connection is not reused.
        this.#sink.onWhole(trailers, this.#reusable && at === length);
        return;
      }
    }
  }

  /** Call when the connection is given up; later bytes are not read. */
  kill(): void {
    this.#state = 'dead';
  }

  /** Returns `[from, to)` of what is being fed as text, if that has been made. */
  #known(from: number, to: number): string | null {
    const end = to - this.#textAt;
    return end <= this.#text.length ? this.#text.slice(from - this.#textAt, end) : null;
  }

  #isDead(): boolean {
    return this.#state === 'dead';
  }

  #head(buffer: Buffer, at: number, length: number): number {
    const found = this.#atOnce(buffer, at, length) ?? this.#upTo(buffer, at, length);
    if (found === null) return length;
    const consumed = at + this.#consumed;
    const head = readHead(found);
    if (head === null || head.status === 101) {
      this.#malformed();
      return length;
    }
    if (head.status < 200) {
      if (head.status > 100) this.#sink.onInterim?.(head);
      return consumed;
    }
    this.#begin(head);
    return consumed;
  }

  /** Returns the head if all of it is at the beginning of what has come, as nearly always, and its lines are in order. */
  #atOnce(buffer: Buffer, at: number, length: number): HeadText | null {
    if (this.#pending !== '') return null;
    const most = Math.min(FIRST_LOOK, this.#maxHeadBytes);
    const text = buffer.toString('latin1', at, Math.min(length, at + most));
    const found = headTextOf(text);
    if (found === null) return null;
    this.#consumed = found.end;
    this.#text = text;
    this.#textAt = at;
    return found;
  }

  /** Collects the head until its empty line has come. Returns null until then, and if it is malformed. */
  #upTo(buffer: Buffer, at: number, length: number): HeadText | null {
    const before = this.#pending.length;
    this.#pending += buffer.toString('latin1', at, Math.min(length, at + this.#maxHeadBytes));
    const end = this.#pending.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (end === -1 || end + 4 > this.#maxHeadBytes) {
      if (this.#pending.length >= this.#maxHeadBytes) this.#malformed();
      return null;
    }
    const found = headTextOf(this.#pending.slice(0, end + 4));
    this.#consumed = end + 4 - before;
    this.#pending = '';
    if (found === null) this.#malformed();
    return found;
  }

  #begin(head: AnswerHead): void {
    const bodiless = head.status === 204 || head.status === 304;
    // A body announced where none is allowed may still follow.
    const doubtful = bodiless && (head.chunked || (head.status === 204 && head.length > 0));
    this.#reusable = !head.close && !doubtful;
    this.#left = head.length;
    if (bodiless || (!head.chunked && head.length === 0)) this.#state = 'idle';
    else if (head.chunked) this.#state = 'size';
    else if (head.length > 0) this.#state = 'counted';
    else {
      this.#state = 'until-end';
      this.#reusable = false;
    }
    const over = this.#state === 'idle';
    this.#sink.onHead(head);
    if (over && !this.#isDead()) this.#whole('');
  }

  #size(buffer: Buffer, at: number, length: number): number {
    const plain = this.#pending === '' ? this.#plainSize(buffer, at, length) : 0;
    if (plain > 0) return plain;
    const end = buffer.indexOf(LF, at);
    const to = end === -1 || end >= length ? length : end + 1;
    this.#pending += buffer.toString('latin1', at, to);
    if (this.#pending.length > LONGEST_SIZE_LINE) {
      this.#malformed();
      return length;
    }
    if (!this.#pending.endsWith('\n')) return to;
    const line = this.#pending;
    this.#pending = '';
    const match = line.endsWith('\r\n') ? CHUNK_SIZE.exec(line.slice(0, -2)) : null;
    if (match === null) {
      this.#malformed();
      return length;
    }
    this.#sized(Number.parseInt(match[1] ?? '', 16));
    return to;
  }

  /** Reads a whole size line without extensions; returns where it ends, or 0 if it is not one. */
  #plainSize(buffer: Buffer, at: number, length: number): number {
    let size = 0;
    let to = at;
    for (; to < length && to - at <= MOST_SIZE_DIGITS; to++) {
      const digit = HEX_DIGITS[buffer[to] ?? 0] ?? NO_DIGIT;
      if (digit === NO_DIGIT) break;
      size = size * 16 + digit;
    }
    const digits = to - at;
    if (digits === 0 || digits > MOST_SIZE_DIGITS || to + 1 >= length) return 0;
    if (buffer[to] !== CR || buffer[to + 1] !== LF) return 0;
    this.#sized(size);
    return to + 2;
  }

  #sized(size: number): void {
    this.#left = size;
    this.#state = size === 0 ? 'trailers' : 'data';
  }

  #dataEnd(buffer: Buffer, at: number, length: number): number {
    const wanted = this.#pending === '' ? CR : LF;
    if (buffer[at] !== wanted) {
      this.#malformed();
      return length;
    }
    if (wanted === CR) this.#pending = '\r';
    else {
      this.#pending = '';
      this.#state = 'size';
    }
    return at + 1;
  }

  #trailers(buffer: Buffer, at: number, length: number): number {
    // Without trailers, there is only the empty line.
    if (this.#pending === '' && buffer[at] === CR && at + 1 < length && buffer[at + 1] === LF) {
      this.#whole('');
      return at + 2;
    }
    const before = this.#pending.length;
    this.#pending += buffer.toString('latin1', at, Math.min(length, at + this.#maxHeadBytes));
    const alone = this.#pending.startsWith('\r\n');
    const end = alone ? -2 : this.#pending.indexOf('\r\n\r\n', Math.max(0, before - 3));
    const bytes = end === -1 ? this.#pending.length + 1 : end + 4;
    if (bytes > this.#maxHeadBytes) {
      this.#malformed();
      return length;
    }
    if (end === -1) return length;
    const text = this.#pending.slice(0, end + 4);
    this.#pending = '';
    if (endOfLines(text, 0) !== text.length) {
      this.#malformed();
      return length;
    }
    this.#whole(text.slice(0, -2));
    return at + text.length - before;
  }

  #whole(trailers: HeaderBlock): void {
    this.#state = 'idle';
    this.#ended = trailers;
  }

  #malformed(): void {
    this.#state = 'dead';
    this.#sink.onMalformed();
  }
}

interface StatusLine {
  readonly text: string;
  readonly minor: number;
  readonly status: number;
  readonly reason: string;
}

/** A longer status line is not remembered. */
const LONGEST_STATUS_LINE = 64;
/** Most answers have the same one. */
let lastStatusLine: StatusLine = { text: 'HTTP/1.1 200 OK\r\n', minor: 1, status: 200, reason: 'OK' };

/** A text that begins with a head whose lines are in order. */
interface HeadText {
  readonly text: string;
  readonly line: StatusLine;
  /** Where the head ends, the empty line included. */
  readonly end: number;
}

/** Returns null if the text does not begin with such a head. */
function headTextOf(text: string): HeadText | null {
  const line = text.startsWith(lastStatusLine.text) ? lastStatusLine : readStatusLine(text);
  if (line === null) return null;
  const end = endOfLines(text, line.text.length);
  return end === -1 ? null : { text, line, end };
}

/** Returns null if the head is malformed. */
function readHead({
  text,
  line: { text: opening, status, reason, minor },
  end,
}: HeadText): AnswerHead | null {
  return readAnswerHead(status, reason, minor, text.slice(opening.length, end - 2));
}

/** Returns where the lines that begin at `from` end, the empty line included; -1 if they are malformed. */
function endOfLines(text: string, from: number): number {
  HEADER_LINES.lastIndex = from;
  return HEADER_LINES.test(text) ? HEADER_LINES.lastIndex : -1;
}

function readStatusLine(text: string): StatusLine | null {
  const [found, minor, status, reason = ''] = STATUS_LINE.exec(text) ?? [];
  if (found === undefined) return null;
  const line = { text: found, minor: Number(minor), status: Number(status), reason };
  if (found.length <= LONGEST_STATUS_LINE) lastStatusLine = line;
  return line;
}
