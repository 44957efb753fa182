import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientSide, RequestHead } from '../../exchange/ports/client.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BodySource, WholeBody } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import { inOnePiece } from '../../http/one-piece.ts';
import { atEndOfTurn, type TurnWriter } from '../../time/end-of-turn.ts';
import { interimHead, ONE_WRITE, PLAIN_REASON } from '../door-state.ts';
import { GuardedClient } from '../guarded-client.ts';
import type { HalfClosedRequest } from '../half-closed.ts';

/** A longer reason, in characters, is not remembered. */
const LONGEST_REASON = 64;
const CLOSES: HeaderBlock = 'Connection: close\r\n';

/** The part of a request's connection that its answer needs. */
export interface ResponseWire {
  readonly socket: Socket;
  readonly encrypted: boolean;
  readonly errors: InternalErrors;
  /** Header lines of an answer after which the connection stays open. */
  readonly keepAlive: HeaderBlock;
  /** The client has to open another connection after this answer. */
  readonly closing: boolean;
  pauseBody(): void;
  resumeBody(): void;
  /** The socket holds data that the client has not taken yet. */
  onBlocked(): void;
  /** The whole answer has been handed over. */
  onAnswered(closes: boolean): void;
  destroy(): void;
  /** Resets the connection, so the client cannot take a partial answer for a whole one. */
  reset(): void;
}

/** One request on a connection of the express door, with its answer. */
export class ExpressClient
  extends GuardedClient
  implements ClientSide, BodySource, HalfClosedRequest, TurnWriter
{
  readonly whole: WholeBody | null;
  readonly #connection: ResponseWire;
  /** Body bytes that came with the head. */
  #first: Buffer | null;
  #onData: ((chunk: Buffer) => void) | null = null;
  #onBodyEnd: (() => void) | null = null;
  /** Head and pieces that have not been written yet. */
  #out = '';
  /** They are written at the end of the turn. */
  #waitsForEnd = false;
  #chunked = false;
  #closes = false;
  /** The socket will tell when it has taken the last piece. */
  #told = false;
  /** Leases kept until the client's socket drains. */
  #owed: BufferLease[] | null = null;
  /** An answer has begun. */
  begun = false;
  /** The whole answer has been handed over. */
  ended = false;

  /** `whole`: the body, if it has come; otherwise `first` is what has come of it. */
  constructor(connection: ResponseWire, head: RequestHead, whole: WholeBody | null, first: Buffer | null) {
    super(head, connection.errors);
    this.#connection = connection;
    this.whole = whole;
    this.#first = first;
  }

  get body(): BodySource {
    return this;
  }

  get socket(): Socket {
    return this.#connection.socket;
  }

  get isLast(): boolean {
    return this.head.fields.close;
  }

  get mayBeAsked(): boolean {
    return !this.begun;
  }

  ask(): void {
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  }

  abandon(): void {
    this.destroy();
  }

  /** Nothing to do: requests that wait for `100 Continue` go to the front door. */
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
    // A receiver that wants no more pauses again.
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
    const date = hasDate ? '' : dateLine();
    const fate = last ? '' : this.#closes ? CLOSES : this.#connection.keepAlive;
    this.#out = `${statusLine(status, reason)}${headers}${date}${fate}\r\n`;
  }

  writeInterim(status: number, headers: HeaderBlock): void {
    if (this.over || this.begun) return;
    this.#connection.socket.write(interimHead(status, headers), 'latin1');
  }

  write(chunk: Buffer, lease: BufferLease, known?: string | null): void {
    if (this.over || this.ended) {
      this.giveBack(lease);
      return;
    }
    if (chunk.length > ONE_WRITE) {
      this.#writeLong(chunk, lease);
      return;
    }
    const text = known ?? chunk.toString('latin1');
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
    if (this.#out === '') this.#handedOver();
    else this.#writeLater();
  }

  flush(): void {
    if (this.over || this.#out === '') return;
    if (this.#out.length > ONE_WRITE) this.#writeNow();
    else this.#writeLater();
  }

  writeOut(): void {
    this.#waitsForEnd = false;
    try {
      this.#writeNow();
    } catch (error) {
      this.failRequest(error);
    }
  }

  onWrittenOut(): void {
    try {
      if (this.ended) this.#handedOver();
    } catch (error) {
      this.failRequest(error);
    }
  }

  /** Ends the connection once the client has been given what it is to get. */
  endSoon(): void {
    this.#writeNow();
    this.#connection.socket.destroySoon();
  }

  /** Leaves a complete answer alone: the client has it, or is still receiving it. */
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

  #writeLater(): void {
    if (this.#waitsForEnd) return;
    this.#waitsForEnd = true;
    atEndOfTurn(this);
  }

  #writeNow(): void {
    if (this.over || this.#out === '') return;
    const out = this.#out;
    this.#out = '';
    const { socket, encrypted } = this.#connection;
    // TLS never takes a piece at once. To ask by an empty write behind the last piece costs a call of the system.
    this.#told = this.ended && encrypted;
    const onTaken = this.#told ? this.#whenTaken() : undefined;
    if (!socket.write(out, 'latin1', onTaken)) this.#connection.onBlocked();
  }

  #whenTaken(): (error?: Error | null) => void {
    return (error) => {
      if (error == null) this.#finish();
    };
  }

  /** The whole answer has been written to the socket, which may still hold some of it. */
  #handedOver(): void {
    const { socket } = this.#connection;
    // `gone` reports a connection that has ended.
    if (this.over || socket.destroyed) return;
    if (socket.writableLength === 0) {
      this.#finish();
      return;
    }
    this.#connection.onBlocked();
    if (!this.#told) socket.write('', this.#whenTaken());
  }

  #finish(): void {
    if (this.over) return;
    this.onDrain();
    if (this.tellClose(true)) this.#connection.onAnswered(this.#closes);
  }

  /** Writes a long piece without copying it; its lease is released once the socket has taken it. */
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
}

let lastStatus = 0;
let lastReason = '';
let lastStatusLine = '';

/** The status line; most are like the last one. */
function statusLine(status: number, reason: string): string {
  if (status === lastStatus && reason === lastReason) return lastStatusLine;
  const phrase = reason !== '' && PLAIN_REASON.test(reason) ? reason : (STATUS_CODES[status] ?? '');
  const line = `HTTP/1.1 ${status} ${phrase}\r\n`;
  if (reason.length > LONGEST_REASON) return line;
  lastStatus = status;
  lastReason = reason;
  lastStatusLine = inOnePiece(line);
  return line;
}

let dateSecond = 0;
let dateText = '';

/** The `Date` line, built once a second. */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateText;
}
