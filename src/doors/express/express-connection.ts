import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientSide } from '../../exchange/ports/client.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { type HeaderBlock, hasMoreLines } from '../../http/header-block.ts';
import { readRequestFields } from '../../http/request-fields.ts';
import {
  AHEAD_BYTES,
  AHEAD_MS,
  type DoorState,
  LINGER_BYTES,
  LINGER_MS,
  plainAddress,
} from '../door-state.ts';
import { watchHalfClosed } from '../half-closed.ts';
import { cut, endInOrder, ignore } from '../last-word.ts';
import { answerMalformed, answerTimeout } from '../raw-errors.ts';
import { ExpressClient, type ResponseWire } from './express-client.ts';
import { mayBecomePlain, plainHead } from './plain-head.ts';
import { readShared } from './shared-read.ts';

/** What the connections of the express door share. */
export interface ExpressContext {
  readonly state: DoorState;
  /** Answers a request; false, with nothing touched, leaves it to the front door. */
  readonly handle: (client: ClientSide) => boolean;
  /** Takes a connection over, with what was read of it put back. */
  readonly handOver: (socket: Socket) => void;
  readonly nextId: (header: unknown) => string;
  readonly now: () => number;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Plain connections are read into one buffer that all share. */
  readonly sharedReadBuffer: boolean;
  /** What an answer says after which the connection stays, as `node:http` says it. */
  readonly keepAlive: HeaderBlock;
  readonly onGone: (connection: ExpressConnection) => void;
}

/**
 * `new`: nothing has come yet. `idle`: all that came has been answered. `head`: part of a request's head has come.
 * `body`: the exchange has a request, more of whose body is to come. `answer`: it has a request that is whole.
 * `linger`: the answer has been given, and what is left of the request's body is read. `over`: the socket is closed, or
 * somebody else's.
 */
type ConnectionState = 'new' | 'idle' | 'head' | 'body' | 'answer' | 'linger' | 'over';

/** An ordinary head is found in so many bytes. */
const FIRST_LOOK = 4 * 1024;
/** A head that comes in more pieces is for `node:http`, which does not look at what it had before once more. */
const MOST_LOOKS = 8;
/** What has been read is put back in pieces of so many bytes. */
const PUT_BACK = 16 * 1024;

/**
 * A client's connection as bytes. Requests that are plain beyond doubt are answered one after the other; at the
 * first that is not, the connection goes to the front door for good, its bytes untouched.
 */
export class ExpressConnection implements ResponseWire {
  readonly #socket: Socket;
  readonly #context: ExpressContext;
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  #state: ConnectionState = 'new';
  /** What has been read and not been used: in state `head` its beginning, later what comes behind the request. */
  #rest: Buffer | null = null;
  /** In the states `body` and `answer`. */
  #client: ExpressClient | null = null;
  /** More than 0 in the states `body` and `linger`. */
  #bodyLeft = 0;
  #advancing = false;
  /** How often the head that is coming has been looked for. */
  #looks = 0;
  /** Since when it waits for a request, has had part of a head, takes in a request, or lingers. */
  #lastActivity: number;
  /** In state `linger`, how much is still read. */
  #lingerBytes = 0;
  #closes = false;
  /** Its client sends nothing more. */
  #ended = false;
  /** Since when more has come behind the request under way than is kept; 0 otherwise. */
  #fullSince = 0;
  /** Nothing is kept any more of what comes behind the request under way: so much is still read. */
  #dropBytes: number | null = null;
  // Everything that sockets and timers call is caught here: it ends this connection, and nothing else.
  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#take(chunk);
    } catch (error) {
      this.#fail(error);
    }
  };
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
    this.remoteAddress = plainAddress(accepted.remoteAddress ?? '');
    this.#lastActivity = context.now();
    const shared = context.sharedReadBuffer && !this.encrypted;
    const socket = shared ? readShared(accepted, this.#onData, () => this.#state === 'over') : accepted;
    this.#socket = socket;
    this.#context = context;
    if (shared) socket.resume();
    else socket.on('data', this.#onData);
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

  /** Nothing is asked on it at the moment. */
  get idle(): boolean {
    return this.#state === 'new' || this.#state === 'idle';
  }

  /** Its client is to open another one. */
  get closing(): boolean {
    return this.#closes || this.#context.state.draining;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Cuts it so that the client cannot take what it got for a whole answer. */
  reset(): void {
    cut(this.#socket);
  }

  pauseBody(): void {
    if (this.#bodyLeft > 0) this.#socket.pause();
  }

  resumeBody(): void {
    if (this.#fullSince === 0) this.#socket.resume();
  }

  /** More was written than the client has taken. */
  onBlocked(): void {
    this.#context.state.slowReaders.watch(this.#socket);
  }

  /** The answer has been handed over whole. */
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
    this.#lastActivity = this.#context.now();
    if (this.#bodyLeft > 0) {
      this.#become('linger');
      this.#lingerBytes = LINGER_BYTES;
      this.#socket.resume();
      return;
    }
    this.#become(this.#rest === null ? 'idle' : 'head');
    this.#proceed();
  }

  /** Ends what takes longer than it may. */
  sweep(now: number): void {
    try {
      this.#sweep(now);
    } catch (error) {
      this.#fail(error);
    }
  }

  #sweep(now: number): void {
    // While the client is the one who is slow, its own limit holds.
    if (this.#socket.writableLength > 0) return;
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#context;
    const waited = now - this.#lastActivity;
    switch (this.#state) {
      case 'new':
        // Nothing was asked: a client would take what it is told for the answer to its next request.
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

  /** Nothing follows on `over`, whatever was under way when it came to that. */
  #become(next: ConnectionState): void {
    if (this.#state !== 'over') this.#state = next;
  }

  #timeOut(client: ExpressClient | null): void {
    if (client?.begun === true) this.reset();
    else this.#refuse(client, answerTimeout);
  }

  /** Nothing more will come: what is not a whole request by now will never be one. */
  #halfClose(): void {
    this.#ended = true;
    const client = this.#client;
    const partial = this.#state === 'head' || (this.#state === 'body' && client?.begun === false);
    if (partial) this.#refuse(client, answerMalformed);
    else if (client !== null && this.#state === 'answer') this.#outlive(client);
    else if (client?.ended === true) {
      // The answer is whole, and still to be read; the request never will be.
      this.#closes = true;
      this.#socket.destroySoon();
    } else this.destroy();
  }

  /** Its client sends nothing more: that is no reason not to answer what it has sent. */
  #outlive(client: ExpressClient): void {
    watchHalfClosed(client, this.#context.state.halfCloseGraceMs, (error) => this.#fail(error));
  }

  #refuse(client: ExpressClient | null, answer: typeof answerMalformed): void {
    this.#leave();
    const toHead = client?.head.method === 'HEAD';
    answer(this.#socket, client?.head.id ?? this.#context.nextId(undefined), toHead);
    client?.gone();
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

  /** Reads on behind an answer that has been given; true as long as there is more to be read. */
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

  /** Answers what has been read, request by request; an answer given at once does not deepen the stack. */
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

  /** Reads on while a request is answered, as long as what has come behind it can be kept. */
  #readAhead(): void {
    if (this.#rest !== null && this.#rest.length > AHEAD_BYTES) {
      this.#fullSince = this.#context.now();
      this.#socket.pause();
      return;
    }
    this.#fullSince = 0;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** The answer under way is the last one. */
  #dropRest(): void {
    this.#closes = true;
    this.#rest = null;
    this.#fullSince = 0;
    this.#dropBytes = LINGER_BYTES;
    this.#socket.resume();
  }

  /** Its client may be sending still. */
  #close(): void {
    this.#leave();
    endInOrder(this.#socket);
  }

  #begin(bytes: Buffer): boolean {
    const { maxHeaderBytes, maxHeaders, nextId, now } = this.#context;
    let text = bytes.toString('latin1', 0, Math.min(bytes.length, FIRST_LOOK));
    let found = plainHead(text);
    if (found === null && bytes.length > FIRST_LOOK) {
      text = bytes.toString('latin1', 0, Math.min(bytes.length, maxHeaderBytes));
      found = plainHead(text);
    }
    if (found === null) {
      const waits = bytes.length < maxHeaderBytes && ++this.#looks < MOST_LOOKS && mayBecomePlain(text);
      if (!waits) this.#handOver();
      else if (this.#ended) this.#refuse(null, answerMalformed);
      return false;
    }
    this.#looks = 0;
    const { method, target, block, length } = found;
    if (hasMoreLines(block, maxHeaders)) {
      this.#handOver();
      return false;
    }
    const fields = readRequestFields(block);
    if (!fields.ordinary || fields.hosts !== 1 || fields.fault !== null || length > maxHeaderBytes) {
      this.#handOver();
      return false;
    }
    const end = length + fields.bodyLength;
    const whole = bytes.length >= end;
    if (!whole && this.#ended) {
      this.#refuse(null, answerMalformed);
      return false;
    }
    const body = fields.bodyLength === 0 ? null : bytes.subarray(length, Math.min(end, bytes.length));
    const client = new ExpressClient(
      this,
      {
        method,
        target,
        block,
        fields,
        httpMinor: 1,
        remoteAddress: this.remoteAddress,
        encrypted: this.encrypted,
        id: nextId(fields.requestId ?? undefined),
        receivedAt: now(),
      },
      body,
      whole,
    );
    this.#client = client;
    this.#rest = bytes.length > end ? bytes.subarray(end) : null;
    this.#bodyLeft = whole ? 0 : end - bytes.length;
    this.#become(whole ? 'answer' : 'body');
    // The rest of a body is read when somebody wants it; without one, reading is how a client that leaves is noticed.
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

  /** A request that the exchange failed to take on is not the front door's either. */
  #handled(client: ExpressClient): boolean {
    try {
      return this.#context.handle(client);
    } catch (error) {
      client.failRequest(error);
      return true;
    }
  }

  #handOver(): void {
    // That it is over comes as an event, and is not for the front door to hear.
    if (this.#socket.destroyed) return;
    if (this.#ended) {
      // Nothing can be put back behind the end of what is read; what is left unanswered may be sent again.
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

  /** The socket is somebody else's from now on. */
  #leave(): void {
    this.#become('over');
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onClose);
    // The listener for errors stays: one without any would end the process.
    this.#socket.off('drain', this.#onDrain);
    this.#context.onGone(this);
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#become('over');
    this.#context.onGone(this);
    this.#client?.gone();
  }

  /** Something of the door's own threw. */
  #fail(error: unknown): void {
    this.#context.errors.report('client', error, this.#client?.head.id);
    this.#socket.destroy();
    this.#client?.gone();
  }
}

/** In pieces, since whoever takes the connection over can stop it between two of them only. */
function putBack(socket: Socket, bytes: Buffer): void {
  for (let end = bytes.length; end > 0; end -= PUT_BACK) {
    socket.unshift(bytes.subarray(Math.max(0, end - PUT_BACK), end));
  }
}
