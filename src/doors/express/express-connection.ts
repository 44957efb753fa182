import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Member, OUTSIDE } from '../../collections/crowd.ts';
import type { ClientSide } from '../../exchange/ports/client.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { WholeBody } from '../../http/body.ts';
import { type HeaderBlock, hasMoreLines } from '../../http/header-block.ts';
import { certificateName } from '../client-certificate.ts';
import { type DoorState, plainAddress } from '../door-state.ts';
import { watchHalfClosed } from '../half-closed.ts';
import { cut, endInOrder, ignore } from '../last-word.ts';
import { answerMalformed, answerTimeout } from '../raw-errors.ts';
import { AHEAD_BYTES, AHEAD_MS, LINGER_BYTES, LINGER_MS } from '../read-limits.ts';
import { leaveRead, readDirectly } from './direct-read.ts';
import { ExpressClient, type ResponseWire } from './express-client.ts';
import { HeadReader, type ReadHead } from './head-reader.ts';
import { mayBecomePlain } from './plain-head.ts';
import { readShared } from './shared-read.ts';

/** Options shared by the connections of the express door. */
export interface ExpressContext {
  readonly state: DoorState;
  /** Answers a request, or returns false and leaves it untouched for the front door. */
  readonly handle: (client: ClientSide) => boolean;
  /** Receives the socket; bytes already read have been pushed back onto it. */
  readonly handOver: (socket: Socket) => void;
  readonly nextId: (header: unknown) => string;
  readonly now: () => number;
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Read all unencrypted connections into one shared buffer. */
  readonly sharedReadBuffer: boolean;
  /** Header lines of an answer after which the connection stays open, as `node:http` writes them. */
  readonly keepAlive: HeaderBlock;
  readonly onGone: (connection: ExpressConnection) => void;
}

/**
 * `new`: no byte has come yet. `idle`: all requests have been answered. `head`: part of a request's head has come.
 * `body`: the exchange has the request, and more of its body is to come. `answer`: the exchange has the whole
 * request. `linger`: the answer has been given, and the rest of the request's body is being read. `over`: the socket
 * is closed, or has been handed over.
 */
type ConnectionState = 'new' | 'idle' | 'head' | 'body' | 'answer' | 'linger' | 'over';

/** In place of the start of a wait that no sweep has seen yet. */
const UNSEEN = -1;
/** The first look for a head covers this many bytes, enough for an ordinary one. */
const FIRST_LOOK = 4 * 1024;
/** A head in more pieces than this goes to `node:http`, which does not scan earlier bytes again. */
const MOST_LOOKS = 8;
/** Bytes already read are pushed back in pieces of this size. */
const PUT_BACK = 16 * 1024;

/**
 * A client's connection, read as bytes. Plain requests are answered one after the other. The first request that is
 * not plain hands the connection to the front door for good, with its bytes untouched.
 */
export class ExpressConnection implements ResponseWire, Member {
  place = OUTSIDE;
  readonly #socket: Socket;
  readonly #context: ExpressContext;
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  readonly #certificateName: string | null;
  /** The socket is read into the shared buffer. */
  readonly #shared: boolean;
  readonly #heads = new HeadReader();
  #state: ConnectionState = 'new';
  /** Bytes read and not used yet: in state `head` the start of a head, later whatever follows the request. */
  #rest: Buffer | null = null;
  /** Set in the states `body` and `answer`. */
  #client: ExpressClient | null = null;
  /** More than 0 in the states `body` and `linger`. */
  #bodyLeft = 0;
  #advancing = false;
  /** Set while a head has just been looked for in what is to be taken: to read it twice would count as repetition. */
  #looked: { readonly text: string; readonly head: ReadHead | null } | null = null;
  /** How often a head has been looked for in the bytes of the next request. */
  #looks = 0;
  /**
   * Start of the wait for a request, of a partial head, of receiving a request, or of lingering. The wait for the next
   * request begins with the first sweep that sees it: to look at the clock after each answer costs more.
   */
  #lastActivity: number;
  /** Bytes still to be read in state `linger`. */
  #lingerBytes = 0;
  #closes = false;
  /** The client has ended its side. */
  #ended = false;
  /** When the bytes behind the request under way exceeded what is kept; 0 if they have not. */
  #fullSince = 0;
  /** Null while bytes behind the request under way are kept; otherwise how many more are read and dropped. */
  #dropBytes: number | null = null;
  // Errors in callbacks from sockets and timers are caught here. They end this connection and nothing else.
  readonly #onData = (chunk: Buffer): void => this.#onRead(chunk, chunk.length, false);
  readonly #onShared = (buffer: Buffer, length: number): void => this.#onRead(buffer, length, true);
  readonly #onEnd = (): void => {
    try {
      this.#halfClose();
    } catch (error) {
      this.#fail(error);
    }
  };
  readonly #onClose = (): void => {
    try {
      this.#end();
    } catch (error) {
      this.#fail(error);
    }
  };
  readonly #onDrain = (): void => {
    try {
      this.#client?.onDrain();
    } catch (error) {
      this.#fail(error);
    }
  };

  constructor(accepted: Socket, context: ExpressContext) {
    this.encrypted = (accepted as Partial<TLSSocket>).encrypted === true;
    this.#certificateName = this.encrypted ? certificateName(accepted) : null;
    this.remoteAddress = plainAddress(accepted.remoteAddress ?? '');
    this.#lastActivity = context.now();
    this.#shared = context.sharedReadBuffer && !this.encrypted;
    const socket = this.#shared
      ? readShared(accepted, this.#onShared, () => this.#state === 'over')
      : accepted;
    this.#socket = socket;
    this.#context = context;
    if (this.#shared) socket.resume();
    else readDirectly(socket, this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
    socket.on('drain', this.#onDrain);
  }

  get socket(): Socket {
    return this.#socket;
  }

  get errors(): InternalErrors {
    return this.#context.errors;
  }

  get keepAlive(): HeaderBlock {
    return this.#context.keepAlive;
  }

  /** No request is under way. */
  get idle(): boolean {
    return this.#state === 'new' || this.#state === 'idle';
  }

  /** The client has to open another connection. */
  get closing(): boolean {
    return this.#closes || this.#context.state.draining;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Resets the connection, so the client cannot take a partial answer for a whole one. */
  reset(): void {
    cut(this.#socket);
  }

  pauseBody(): void {
    if (this.#bodyLeft > 0) this.#socket.pause();
  }

  resumeBody(): void {
    if (this.#fullSince === 0) this.#socket.resume();
  }

  /** The socket holds data that the client has not taken yet. */
  onBlocked(): void {
    this.#context.state.slowReaders.watch(this.#socket);
  }

  /** The whole answer has been handed over. */
  onAnswered(closes: boolean): void {
    try {
      this.#answered(closes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #answered(closes: boolean): void {
    this.#client = null;
    this.#closes ||= closes;
    if (this.#bodyLeft > 0) {
      this.#lastActivity = this.#context.now();
      this.#become('linger');
      this.#lingerBytes = LINGER_BYTES;
      this.#socket.resume();
      return;
    }
    if (this.#rest === null) {
      this.#lastActivity = UNSEEN;
      this.#become('idle');
    } else {
      this.#lastActivity = this.#context.now();
      this.#become('head');
    }
    this.#proceed();
  }

  /** Ends the connection, or its request, if a time limit has passed; `now` is in milliseconds. */
  sweep(now: number): void {
    try {
      this.#sweep(now);
    } catch (error) {
      this.#fail(error);
    }
  }

  #sweep(now: number): void {
    // A client that is slow to read has a limit of its own (`SlowReaders`).
    if (this.#socket.writableLength > 0) return;
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#context;
    if (this.#lastActivity === UNSEEN) this.#lastActivity = now;
    const waited = now - this.#lastActivity;
    switch (this.#state) {
      case 'new':
        // No request came, so no answer: the client would take it for the answer to its next request.
        if (waited > headersTimeoutMs) this.destroy();
        break;
      case 'head':
        if (waited > headersTimeoutMs) this.#timeOut(null);
        break;
      case 'idle':
        if (waited > keepAliveTimeoutMs) this.destroy();
        break;
      case 'body':
        if (requestTimeoutMs > 0 && waited > requestTimeoutMs) this.#timeOut(this.#client);
        break;
      case 'answer':
        if (this.#fullSince > 0 && now - this.#fullSince > AHEAD_MS) this.#dropRest();
        break;
      case 'linger':
        if (waited > LINGER_MS) this.#socket.destroySoon();
        break;
      case 'over':
    }
  }

  /** `over` is final, even if a step was under way when it was reached. */
  #become(next: ConnectionState): void {
    if (this.#state !== 'over') this.#state = next;
  }

  #timeOut(client: ExpressClient | null): void {
    if (client?.begun === true) this.reset();
    else this.#refuse(client, answerTimeout);
  }

  /** No more bytes will come, so a partial request will never be complete. */
  #halfClose(): void {
    this.#ended = true;
    const client = this.#client;
    const partial = this.#state === 'head' || (this.#state === 'body' && client?.begun === false);
    if (partial) this.#refuse(client, answerMalformed);
    else if (client !== null && this.#state === 'answer') this.#outlive(client);
    else if (client?.ended === true) {
      // The answer is complete but not read yet. The request will never be complete.
      this.#closes = true;
      client.endSoon();
    } else this.destroy();
  }

  /** The client has ended its side. Its request is still answered. */
  #outlive(client: ExpressClient): void {
    watchHalfClosed(client, this.#context.state.halfCloseGraceMs, (error) => this.#fail(error));
  }

  #refuse(client: ExpressClient | null, answer: typeof answerMalformed): void {
    this.#leave();
    const toHead = client?.head.method === 'HEAD';
    answer(this.#socket, client?.head.id ?? this.#context.nextId(undefined), toHead);
    client?.gone();
  }

  /** `buffer[0, length)` has been read. `lent`: what is kept of it has to be copied. */
  #onRead(buffer: Buffer, length: number, lent: boolean): void {
    try {
      if (this.#beginsAnew(length)) {
        const text = buffer.toString('latin1', 0, length);
        const head = this.#heads.read(text);
        if (head !== null && this.#isPlain(head) && head.length + head.fields.bodyLength === length) {
          this.#takeShort(head, text);
          return;
        }
        this.#looked = { text, head };
      }
      this.#take(lent ? Buffer.from(buffer.subarray(0, length)) : buffer);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Nothing has been read since the last answer, and what has come now may be a whole request. */
  #beginsAnew(length: number): boolean {
    const waits = this.#state === 'idle' || this.#state === 'new';
    return waits && length <= FIRST_LOOK && !this.#closes && !this.#ended && !this.#advancing;
  }

  /** Begins with a request that is all of what has come, so that nothing needs its octets. */
  #takeShort(head: ReadHead, text: string): void {
    this.#lastActivity = this.#context.now();
    this.#advancing = true;
    const body = head.fields.bodyLength > 0 ? WholeBody.ofText(text.slice(head.length)) : null;
    const client = this.#clientOf(head, this.#lastActivity, body, null);
    this.#client = client;
    this.#become('answer');
    const handled = this.#handled(client);
    this.#advancing = false;
    if (handled) {
      if (this.#client === null) this.#proceed();
      return;
    }
    this.#client = null;
    this.#rest = Buffer.from(text, 'latin1');
    this.#become('head');
    this.#handOver();
  }

  #take(chunk: Buffer): void {
    if (this.#dropBytes !== null) {
      this.#dropBytes -= chunk.length;
      if (this.#dropBytes < 0) this.reset();
      return;
    }
    let rest: Buffer | null = chunk;
    if (this.#bodyLeft > 0) {
      const mine = Math.min(this.#bodyLeft, chunk.length);
      this.#bodyLeft -= mine;
      rest = mine === chunk.length ? null : chunk.subarray(mine);
      const piece = rest === null ? chunk : chunk.subarray(0, mine);
      if (this.#client === null) {
        if (this.#linger(mine)) return;
      } else {
        if (this.#bodyLeft === 0) this.#become('answer');
        this.#client.onBody(piece, this.#bodyLeft === 0);
      }
    }
    if (rest === null) return;
    if (this.#rest === null && this.#client === null) this.#lastActivity = this.#context.now();
    this.#rest = this.#rest === null ? rest : Buffer.concat([this.#rest, rest]);
    if (this.#client !== null) this.#readAhead();
    else {
      this.#become('head');
      this.#proceed();
    }
  }

  /** Counts body bytes read after the answer; false once the next request may begin. */
  #linger(bytes: number): boolean {
    this.#lingerBytes -= bytes;
    if (this.#bodyLeft > 0) {
      if (this.#lingerBytes < 0) this.#socket.destroySoon();
      return true;
    }
    this.#become('idle');
    if (!this.#closes) return false;
    this.#close();
    return true;
  }

  /** Answers the requests in the bytes read, one by one. An answer given at once does not deepen the stack. */
  #proceed(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (this.#state === 'idle' || this.#state === 'head') {
      if (this.#closes || (this.#ended && this.#rest === null)) {
        this.#close();
        return;
      }
      if (this.#rest === null || !this.#begin(this.#rest)) break;
    }
    this.#advancing = false;
    if (this.#client === null && this.#state !== 'over') this.#socket.resume();
  }

  /** Keeps reading while a request is answered, as long as the bytes behind it can be kept. */
  #readAhead(): void {
    if (this.#rest !== null && this.#rest.length > AHEAD_BYTES) {
      this.#fullSince = this.#context.now();
      this.#socket.pause();
      return;
    }
    this.#fullSince = 0;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Makes the answer under way the last one; later bytes are dropped. */
  #dropRest(): void {
    this.#closes = true;
    this.#rest = null;
    this.#fullSince = 0;
    this.#dropBytes = LINGER_BYTES;
    this.#socket.resume();
  }

  /** Ends the connection in order: the client may still be sending. */
  #close(): void {
    this.#leave();
    endInOrder(this.#socket);
  }

  #begin(bytes: Buffer): boolean {
    const { maxHeaderBytes, now } = this.#context;
    const looked = this.#looked;
    this.#looked = null;
    let text = looked?.text ?? bytes.toString('latin1', 0, Math.min(bytes.length, FIRST_LOOK));
    let found = looked === null ? this.#heads.read(text) : looked.head;
    if (found === null && bytes.length > FIRST_LOOK) {
      text = bytes.toString('latin1', 0, Math.min(bytes.length, maxHeaderBytes));
      found = this.#heads.read(text);
    }
    if (found === null) {
      const waits = bytes.length < maxHeaderBytes && ++this.#looks < MOST_LOOKS && mayBecomePlain(text);
      if (!waits) this.#handOver();
      else if (this.#ended) this.#refuse(null, answerMalformed);
      return false;
    }
    // The clock was looked at when these bytes came, or before, if the head came in pieces.
    const receivedAt = this.#looks === 0 ? this.#lastActivity : now();
    this.#looks = 0;
    if (!this.#isPlain(found)) {
      this.#handOver();
      return false;
    }
    const { length, fields } = found;
    const end = length + fields.bodyLength;
    const whole = bytes.length >= end;
    if (!whole && this.#ended) {
      this.#refuse(null, answerMalformed);
      return false;
    }
    const { bodyLength } = fields;
    const known = text.length >= end ? text.slice(length, end) : null;
    const body = whole && bodyLength > 0 ? WholeBody.ofBytes(bytes, length, end, known) : null;
    const first = whole || bytes.length === length ? null : bytes.subarray(length);
    const client = this.#clientOf(found, receivedAt, body, first);
    this.#client = client;
    this.#rest = bytes.length > end ? bytes.subarray(end) : null;
    this.#bodyLeft = whole ? 0 : end - bytes.length;
    this.#become(whole ? 'answer' : 'body');
    // The rest of a body is read on demand. Without a body, we read in order to notice a client that leaves.
    if (!whole) {
      this.#fullSince = 0;
      this.#socket.pause();
    } else this.#readAhead();
    if (this.#handled(client)) {
      if (this.#ended) this.#outlive(client);
      return true;
    }
    this.#client = null;
    this.#rest = bytes;
    this.#bodyLeft = 0;
    this.#become('head');
    this.#handOver();
    return false;
  }

  /** The head leaves nothing to `node:http`. */
  #isPlain({ block, length, fields }: ReadHead): boolean {
    const { maxHeaderBytes, maxHeaders } = this.#context;
    if (!fields.ordinary || fields.hosts !== 1 || fields.fault !== null || length > maxHeaderBytes)
      return false;
    return !hasMoreLines(block, maxHeaders);
  }

  #clientOf(
    { method, target, block, fields, repeated }: ReadHead,
    receivedAt: number,
    body: WholeBody | null,
    first: Buffer | null,
  ): ExpressClient {
    return new ExpressClient(
      this,
      {
        method,
        target,
        block,
        fields,
        repeated,
        httpMinor: 1,
        remoteAddress: this.remoteAddress,
        encrypted: this.encrypted,
        certificateName: this.#certificateName,
        id: this.#context.nextId(fields.requestId ?? undefined),
        receivedAt,
      },
      body,
      first,
    );
  }

  /** If the exchange throws, the request fails here and does not go to the front door. */
  #handled(client: ExpressClient): boolean {
    try {
      return this.#context.handle(client);
    } catch (error) {
      client.failRequest(error);
      return true;
    }
  }

  #handOver(): void {
    // The `close` event of a destroyed socket is handled here, not by the front door.
    if (this.#socket.destroyed) return;
    if (this.#ended) {
      // Nothing can be pushed back after the end of the stream. The client may send unanswered requests again.
      this.#close();
      return;
    }
    const rest = this.#rest;
    this.#leave();
    this.#socket.pause();
    if (rest !== null) putBack(this.#socket, rest);
    this.#context.handOver(this.#socket);
    this.#socket.resume();
  }

  /** Gives the socket up: whoever calls this goes on with it. */
  #leave(): void {
    this.#become('over');
    if (!this.#shared) leaveRead(this.#socket, this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onClose);
    // The error listener stays: a socket without one would end the process on an error.
    this.#socket.off('drain', this.#onDrain);
    this.#context.onGone(this);
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#become('over');
    this.#context.onGone(this);
    this.#client?.gone();
  }

  /** The door's own code threw. */
  #fail(error: unknown): void {
    this.#context.errors.report('client', error, this.#client?.head.id);
    this.#socket.destroy();
    this.#client?.gone();
  }
}

/** Pushes bytes back in pieces, because the new owner can pause only between pieces. */
function putBack(socket: Socket, bytes: Buffer): void {
  for (let end = bytes.length; end > 0; end -= PUT_BACK) {
    socket.unshift(bytes.subarray(Math.max(0, end - PUT_BACK), end));
  }
}
