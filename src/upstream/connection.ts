import net from 'node:net';
import tls from 'node:tls';
import type { AnswerHead } from '../exchange/answer-head.ts';
import type { HeaderBlock } from '../exchange/header-block.ts';
import type { UpstreamFailureKind } from '../exchange/upstream-side.ts';
import { AnswerParser, type AnswerSink } from './answer-parser.ts';
import type { Call } from './call.ts';
import { type BufferOwner, ReadBuffer, type ReadBuffers } from './read-buffers.ts';

/** Where a connection goes. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** Null for plain HTTP. */
  readonly tls: tls.ConnectionOptions | null;
}

/** What a connection tells whoever keeps it. */
export interface ConnectionKeeper {
  /** It may carry another request. */
  onIdle(connection: UpstreamConnection): void;
  onGone(connection: UpstreamConnection): void;
}

export interface ConnectionOptions {
  readonly place: Place;
  readonly maxHeadBytes: number;
  readonly buffers: ReadBuffers;
  readonly keeper: ConnectionKeeper;
  /** Milliseconds, as coarse as the keeper's timer. */
  readonly clock: () => number;
}

/** An answer that is longer, or has gone on for longer, is read into large buffers. */
const LONG_ANSWER = 256 * 1024;
/** So many buffers may be out before the node is read on. */
const MOST_LENT = 2;
/** Happy Eyeballs gives each address so long, in milliseconds; Node's 250 give up on slow links. */
const ADDRESS_ATTEMPT_MS = 1_000;

/** One connection to a node: carries one request at a time, and is used again as long as nothing is in doubt. */
export class UpstreamConnection implements AnswerSink, BufferOwner {
  readonly #socket: net.Socket;
  readonly #keeper: ConnectionKeeper;
  readonly #buffers: ReadBuffers;
  readonly #clock: () => number;
  readonly #parser: AnswerParser;
  #call: Call | null = null;
  #connected = false;
  #served = 0;
  #buffer: ReadBuffer;
  /** Pieces of that buffer are out. */
  #spent = false;
  #lent = 0;
  #paused = false;
  #read = 0;
  #long = false;
  #gone = false;
  /** Since when nothing has happened on it. */
  since: number;
  /** How long it may be idle, in milliseconds, by the node's own word. */
  idleLimitMs = Number.POSITIVE_INFINITY;

  constructor({ place, maxHeadBytes, buffers, keeper, clock }: ConnectionOptions) {
    this.#keeper = keeper;
    this.#buffers = buffers;
    this.#clock = clock;
    this.since = clock();
    this.#buffer = buffers.small();
    this.#parser = new AnswerParser(this, maxHeadBytes);
    this.#socket = place.tls === null ? this.#dial(place) : this.#dialTls(place, place.tls);
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('close', () => this.#onClose());
    this.#socket.on('drain', () => this.#call?.onDrain());
  }

  get call(): Call | null {
    return this.#call;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** It has carried a request before the one that it carries now. */
  get used(): boolean {
    return this.#served > 1;
  }

  /** Bytes of an answer are out, so that the node waits for the client and not the other way round. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Something happens on it. */
  touch(): void {
    this.since = this.#clock();
  }

  /** Carries this request, at once or as soon as there is a connection. */
  carry(call: Call): void {
    this.#call = call;
    this.#served++;
    this.touch();
    this.#parser.expect();
    if (this.#connected) call.begin(this);
  }

  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
  }

  /** Several writes that go out together. */
  together(write: () => void): void {
    this.#socket.cork();
    write();
    this.#socket.uncork();
  }

  /** Ends it; whoever waits for an answer hears of `kind`. */
  fail(kind: UpstreamFailureKind): void {
    const call = this.#call;
    this.destroy();
    call?.fail(kind);
  }

  destroy(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#call = null;
    this.#parser.kill();
    this.#socket.destroy();
    this.#keeper.onGone(this);
  }

  onHead(head: AnswerHead): void {
    this.#long = head.length > LONG_ANSWER;
    this.#read = 0;
    if (head.keepAlive !== null) this.idleLimitMs = Math.max(0, head.keepAlive * 1000 - 1000);
    this.#call?.onHead(head);
  }

  onBody(buffer: Buffer, from: number, to: number): void {
    this.#read += to - from;
    if (this.#read > LONG_ANSWER) this.#long = true;
    this.#call?.onBody(buffer.subarray(from, to), this.#buffer.lend());
  }

  onWhole(trailers: HeaderBlock, reusable: boolean): void {
    const call = this.#call;
    this.#call = null;
    this.#long = false;
    this.touch();
    // A node that answers before it has the whole request will not make sense of what follows.
    if (!reusable || call?.sent !== true || call.last || this.#gone) this.destroy();
    else this.#keeper.onIdle(this);
    call?.onWhole(trailers);
  }

  onMalformed(): void {
    this.fail('malformed');
  }

  onReturned(): void {
    this.#lent--;
    if (!this.#paused || this.#gone || this.#lent >= MOST_LENT) return;
    this.#paused = false;
    this.touch();
    this.#socket.resume();
  }

  #dial({ host, port }: Place): net.Socket {
    return net
      .connect({
        host,
        port,
        noDelay: true,
        autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
        onread: {
          buffer: () => this.#nextBuffer(),
          callback: (length) => this.#onRead(this.#buffer, length),
        },
      })
      .on('connect', () => this.#onConnect());
  }

  /** TLS has buffers of its own. */
  #dialTls({ host, port }: Place, options: tls.ConnectionOptions): tls.TLSSocket {
    return tls
      .connect({ ...options, host, port })
      .setNoDelay()
      .on('secureConnect', () => this.#onConnect())
      .on('data', (data: Buffer) => {
        this.#buffer = new ReadBuffer(data);
        if (!this.#onRead(this.#buffer, data.length)) this.#socket.pause();
      });
  }

  #onConnect(): void {
    this.#connected = true;
    this.touch();
    this.#call?.begin(this);
  }

  /** False stops reading until `resume`. */
  #onRead(buffer: ReadBuffer, length: number): boolean {
    this.touch();
    if (this.#call === null) {
      this.destroy();
      return true;
    }
    const call = this.#call;
    call.answered = true;
    buffer.open(this);
    this.#parser.feed(buffer.bytes, length);
    if (this.#call === call) call.onRest();
    if (buffer.close()) return true;
    this.#lent++;
    this.#paused = this.#lent >= MOST_LENT;
    this.#spent = true;
    return !this.#paused;
  }

  #nextBuffer(): Uint8Array {
    const small = this.#buffer.bytes.length < LONG_ANSWER;
    if (this.#spent) {
      this.#spent = false;
      this.#buffer = this.#long ? this.#buffers.large() : this.#buffers.small();
    } else if (this.#long && small) {
      this.#buffer = this.#buffers.large();
    } else if (!this.#long && !small) {
      this.#buffer.dispose();
      this.#buffer = this.#buffers.small();
    }
    return this.#buffer.bytes;
  }

  #onEnd(): void {
    if (!this.#parser.end()) this.#lose();
  }

  #onClose(): void {
    this.#lose();
  }

  /** The node, or the network, has ended the connection. */
  #lose(): void {
    if (this.#gone) return;
    const call = this.#call;
    if (call === null) this.destroy();
    else if (!this.#connected) this.fail('connect');
    else this.fail(this.used && !call.answered ? 'stale' : 'reset');
  }
}
