import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientSide, RequestHead } from '../../exchange/ports/client.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import { PLAIN_REASON } from '../door-state.ts';
import { GuardedClient } from '../guarded-client.ts';

/** A piece up to this many bytes is written as one text with what stands around it. */
const ONE_WRITE = 8 * 1024;

const CLOSES: HeaderBlock = 'Connection: close\r\n';

/** The connection of a request, as far as its answer needs it. */
export interface ResponseWire {
  readonly socket: Socket;
  readonly errors: InternalErrors;
  /** What an answer says after which the connection stays. */
  readonly keepAlive: HeaderBlock;
  /** The client is to open another connection. */
  readonly closing: boolean;
  pauseBody(): void;
  resumeBody(): void;
  /** More was written than the client has taken. */
  onBlocked(): void;
  /** The answer has been handed over whole. */
  onAnswered(closes: boolean): void;
  destroy(): void;
  /** Cuts it so that the client cannot take what it got for a whole answer. */
  reset(): void;
}

/** One request on a connection of the express door, and its answer. */
export class ExpressClient extends GuardedClient implements ClientSide, BodySource {
  readonly whole: Buffer | null;
  readonly #connection: ResponseWire;
  /** What came of the body along with the head. */
  #first: Buffer | null;
  #onData: ((chunk: Buffer) => void) | null = null;
  #onBodyEnd: (() => void) | null = null;
  /** Head and pieces that have not been written yet. */
  #out = '';
  #chunked = false;
  #closes = false;
  /** Loans that are kept until the client has read on. */
  #owed: BufferLease[] | null = null;
  /** An answer has begun. */
  begun = false;
  /** It has been handed over whole. */
  ended = false;

  /** `body`: what of it has come; `whole`: that is all of it. */
  constructor(connection: ResponseWire, head: RequestHead, body: Buffer | null, whole: boolean) {
    super(head, connection.errors);
    this.#connection = connection;
    this.whole = whole ? body : null;
    this.#first = whole || body?.length === 0 ? null : body;
  }

  get body(): BodySource {
    return this;
  }

  /** A client that waits for `100 Continue` is the front door's. */
  invite(): void {}

  deliver(onData: (chunk: Buffer) => void, onEnd: () => void): void {
    this.#onData = onData;
    this.#onBodyEnd = onEnd;
  }

  pause(): void {
    this.#connection.pauseBody();
  }

  resume(): void {
    const first = this.#first;
    this.#first = null;
    this.#connection.resumeBody();
    // Whoever has enough with this pauses again.
    if (first !== null) this.onBody(first, false);
  }

  /** Another piece of the body has come. */
  onBody(chunk: Buffer, last: boolean): void {
    try {
      this.#onData?.(chunk);
      if (last) this.#onBodyEnd?.();
    } catch (error) {
      this.#onData = null;
      this.#onBodyEnd = null;
      this.failRequest(error);
    }
  }

  writeHead(status: number, reason: string, headers: HeaderBlock, hasDate: boolean, chunked = false): void {
    if (this.over) return;
    if (this.begun) {
      this.answeredTwice();
      return;
    }
    this.begun = true;
    this.#chunked = chunked;
    // Answers of ours may say so themselves.
    const last = status >= 400 && headers.includes(CLOSES);
    this.#closes = last || this.head.fields.close || this.#connection.closing;
    const phrase = reason !== '' && PLAIN_REASON.test(reason) ? reason : (STATUS_CODES[status] ?? '');
    const date = hasDate ? '' : dateLine();
    const fate = last ? '' : this.#closes ? CLOSES : this.#connection.keepAlive;
    this.#out = `HTTP/1.1 ${status} ${phrase}\r\n${headers}${date}${fate}\r\n`;
  }

  write(chunk: Buffer, lease: BufferLease): void {
    if (this.over || this.ended) {
      this.giveBack(lease);
      return;
    }
    if (chunk.length > ONE_WRITE) {
      this.#writeLong(chunk, lease);
      return;
    }
    const text = chunk.toString('latin1');
    this.#out += this.#chunked ? `${chunk.length.toString(16)}\r\n${text}\r\n` : text;
    if (this.#connection.socket.writableNeedDrain) {
      this.#owed ??= [];
      this.#owed.push(lease);
    } else this.giveBack(lease);
  }

  end(chunk?: Buffer, trailers: HeaderBlock = ''): void {
    if (this.over || this.ended) return;
    this.ended = true;
    if (chunk !== undefined) this.#out += chunk.toString('latin1');
    if (this.#chunked) this.#out += `0\r\n${trailers}\r\n`;
    this.flush();
    const { socket } = this.#connection;
    // Of a connection that is over it is to be told that it is.
    if (socket.destroyed) return;
    if (socket.writableLength === 0) this.#finish();
    else {
      this.#connection.onBlocked();
      socket.write('', (error) => {
        if (error == null) this.#finish();
      });
    }
  }

  /** An answer that is whole is left alone: the client has it, or is getting it. */
  reset(): void {
    if (!this.ended) this.#connection.reset();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  onDrain(): void {
    const owed = this.#owed;
    this.#owed = null;
    for (const lease of owed ?? []) this.giveBack(lease);
  }

  /** The client has left, or was cut off. */
  gone(): void {
    if (this.over) return;
    this.onDrain();
    this.tellClose(false);
  }

  #finish(): void {
    if (this.over) return;
    this.onDrain();
    if (this.tellClose(true)) this.#connection.onAnswered(this.#closes);
  }

  /** A long piece is not copied; it is given back when the connection has taken it. */
  #writeLong(chunk: Buffer, lease: BufferLease): void {
    const { socket } = this.#connection;
    const before = this.#chunked ? `${this.#out}${chunk.length.toString(16)}\r\n` : this.#out;
    this.#out = this.#chunked ? '\r\n' : '';
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    const more = socket.write(chunk, () => this.giveBack(lease));
    socket.uncork();
    if (!more) this.#connection.onBlocked();
  }

  flush(): void {
    if (this.over || this.#out === '') return;
    const out = this.#out;
    this.#out = '';
    if (!this.#connection.socket.write(out, 'latin1')) this.#connection.onBlocked();
  }
}

let dateSecond = 0;
let dateText = '';

/** `Date`, made anew once a second. */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateText;
}
