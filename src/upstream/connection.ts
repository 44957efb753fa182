import net from 'node:net';
import tls from 'node:tls';
import type { UpstreamTimeouts } from '../exchange/forward/time-limits.ts';
import type { UpstreamFailureKind } from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { AnswerHead } from '../http/response-head.ts';
import { AnswerParser, type AnswerSink } from './answer-parser.ts';
import type { Call, Wire } from './call.ts';
import { type BufferOwner, ReadBuffer, type ReadBuffers } from './read-buffers.ts';

/** Where a connection goes. */
export interface Endpoint {
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

/** How long a connection may be quiet. */
export interface QuietLimits extends UpstreamTimeouts {
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept: below Jetty's idle time (`druid.server.http.maxIdleTime`, 5 min). */
  readonly keepAliveTimeoutMs: number;
}

/** What takes longer than it may. `unused`: nobody waits for the connection. */
export type Overdue = 'connect' | 'no_answer' | 'stalled' | 'unused';

export interface ConnectionOptions {
  readonly place: Endpoint;
  readonly maxHeadBytes: number;
  readonly buffers: ReadBuffers;
  readonly keeper: ConnectionKeeper;
  readonly limits: QuietLimits;
  /** Milliseconds, as coarse as the keeper's timer. */
  readonly clock: () => number;
  /** Where errors of our own are told that belong to no call. */
  readonly errors: InternalErrors;
}

/**
 * `connecting`: a call waits for the connection. `busy`: it carries a call. `finishing`: the answer is whole, but
 * pieces of it are still out, or bytes of the request have not been taken; it is read, so that its end is noticed.
 * `idle`: it may carry another call. `gone`: it has ended.
 */
export type ConnectionState = 'connecting' | 'busy' | 'finishing' | 'idle' | 'gone';

/** An answer that is longer, or has gone on for longer, is read into large buffers. */
const LONG_ANSWER = 256 * 1024;
/** So many buffers may be out before the node is read on. */
const MOST_BORROWED = 2;
/**
 * A client may take so long, in milliseconds, to take the last pieces of an answer until its connection is given up.
 * It counts no more for `maxRequestsPerNode`, so that readers who are slow could hold any number of them.
 */
const FINISHING_MS = 1_000;
/** Happy Eyeballs gives each address so long, in milliseconds; Node's 250 give up on slow links. */
const ADDRESS_ATTEMPT_MS = 1_000;

/**
 * One connection to a node: carries one request at a time, and is used again as long as nothing is in doubt. What of
 * ours throws while the socket, or a lease that comes back, is at work here ends this connection and nothing else.
 */
export class UpstreamConnection implements AnswerSink, BufferOwner, Wire {
  readonly #socket: net.Socket;
  readonly #keeper: ConnectionKeeper;
  readonly #buffers: ReadBuffers;
  readonly #limits: QuietLimits;
  readonly #clock: () => number;
  readonly #errors: InternalErrors;
  readonly #parser: AnswerParser;
  #state: ConnectionState = 'connecting';
  /** While it is `connecting` or `busy`. */
  #call: Call | null = null;
  /** How many requests it has carried, the present one included. */
  #served = 0;
  #buffer: ReadBuffer;
  /** Pieces of that buffer are out. */
  #spent = false;
  /** Buffers that were read and of which pieces are out. */
  #borrowed = 0;
  /** Only while it is `busy`: the node is not read. */
  #paused = false;
  #read = 0;
  #long = false;
  /** Since when neither side has got on: with the request, with the answer's body, or at all. */
  #since: number;
  /** How long it may be idle, in milliseconds, by the node's own word. */
  #idleLimitMs = Number.POSITIVE_INFINITY;

  constructor({ place, maxHeadBytes, buffers, keeper, limits, clock, errors }: ConnectionOptions) {
    this.#keeper = keeper;
    this.#buffers = buffers;
    this.#limits = limits;
    this.#clock = clock;
    this.#errors = errors;
    this.#since = clock();
    this.#buffer = buffers.small();
    this.#parser = new AnswerParser(this, maxHeadBytes);
    this.#socket = place.tls === null ? this.#dial(place) : this.#dialTls(place, place.tls);
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('close', () => this.#onClose());
    this.#socket.on('drain', () => this.#onDrain());
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get call(): Call | null {
    return this.#call;
  }

  /** What it has been quiet for longer than it may, if anything; `now` is of the same clock as its own. */
  overdue(now: number): Overdue | null {
    const { connectTimeoutMs, keepAliveTimeoutMs } = this.#limits;
    const quiet = now - this.#since;
    if (this.#state === 'connecting') return quiet > connectTimeoutMs ? 'connect' : null;
    const call = this.#call;
    if (call === null) {
      const kept = Math.min(keepAliveTimeoutMs, this.#idleLimitMs);
      const limit = this.#state === 'finishing' ? Math.min(kept, FINISHING_MS) : kept;
      return quiet > limit ? 'unused' : null;
    }
    // The client has the next word, and the node nothing to answer for: before the answer's head while the client
    // has not sent the request, from then on while it does not take what is out.
    if (call.headed ? this.#paused : call.awaitsClient) return null;
    const limit = call.quietLimitMs(this.#limits);
    if (limit > 0 && quiet > limit) return call.headed ? 'stalled' : 'no_answer';
    return null;
  }

  /** It gets on. */
  touch(): void {
    this.#since = this.#clock();
  }

  /** Carries this request, at once or as soon as there is a connection. */
  assign(call: Call): void {
    this.#call = call;
    this.#served++;
    this.touch();
    this.#parser.expect();
    if (this.#state === 'connecting') return;
    this.#state = 'busy';
    call.begin(this);
  }

  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
  }

  /** What is written until `uncork` goes out together. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** Ends it; whoever waits for an answer hears of `kind`. */
  fail(kind: UpstreamFailureKind): void {
    const call = this.#call;
    this.destroy();
    call?.fail(kind);
  }

  /** Ends it because something of ours threw; whoever waits for an answer hears of it, otherwise the log does. */
  crash(error: unknown): void {
    const call = this.#call;
    this.destroy();
    if (call === null) this.#errors.report('upstream', error);
    else call.crash(error);
  }

  /** Ends it, and does not throw: it is how every fault ends. */
  destroy(): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#call = null;
    this.#paused = false;
    this.#parser.kill();
    try {
      this.#socket.destroy();
      this.#keeper.onGone(this);
    } catch (error) {
      this.#errors.report('upstream', error);
    }
  }

  /** Makes it idle once it is finished: nothing of what it carried is out any more. */
  settle(): void {
    if (this.#state !== 'finishing' || this.#borrowed > 0 || this.#socket.writableLength > 0) return;
    this.#state = 'idle';
    this.#keeper.onIdle(this);
  }

  onInterim(head: AnswerHead): void {
    this.#call?.onInterim(head);
  }

  onHead(head: AnswerHead): void {
    this.touch();
    this.#long = head.length > LONG_ANSWER;
    this.#read = 0;
    if (head.keepAlive !== null) this.#idleLimitMs = Math.max(0, head.keepAlive * 1000 - 1000);
    this.#call?.onHead(head);
  }

  onBody(buffer: Buffer, from: number, to: number): void {
    this.touch();
    this.#read += to - from;
    if (this.#read > LONG_ANSWER) this.#long = true;
    this.#call?.onBody(buffer.subarray(from, to), this.#buffer.borrow());
  }

  onWhole(trailers: HeaderBlock, reusable: boolean): void {
    const call = this.#call;
    this.#long = false;
    this.touch();
    // A node that answers before it has the whole request will not make sense of what follows. Nobody has asked for
    // what has come already.
    if (!reusable || call?.sent !== true || call.closesAfter || this.#socket.readableLength > 0)
      this.destroy();
    else {
      this.#state = 'finishing';
      // Whoever is told of the end may send its next request on this connection, and in this turn.
      if (!this.#buffer.isOut) this.settle();
      this.#call = null;
    }
    call?.onWhole(trailers);
  }

  onMalformed(): void {
    this.fail('malformed');
  }

  onReturned(): void {
    try {
      this.#borrowed--;
      if (this.#state === 'finishing') this.settle();
      else if (this.#paused && this.#borrowed < MOST_BORROWED) {
        this.#paused = false;
        this.touch();
        this.#socket.resume();
      }
    } catch (error) {
      this.crash(error);
    }
  }

  #dial({ host, port }: Endpoint): net.Socket {
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
  #dialTls({ host, port }: Endpoint, options: tls.ConnectionOptions): tls.TLSSocket {
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
    if (this.#state !== 'connecting') return;
    try {
      this.#state = 'busy';
      this.touch();
      this.#call?.begin(this);
    } catch (error) {
      this.crash(error);
    }
  }

  /** False stops reading until `resume`. */
  #onRead(buffer: ReadBuffer, length: number): boolean {
    const call = this.#call;
    if (call === null) {
      // Nobody has asked for this.
      this.destroy();
      return true;
    }
    try {
      call.onBytes();
      buffer.open(this);
      this.#parser.feed(buffer.bytes, length);
      if (this.#call === call) call.onRest();
      if (!buffer.close()) {
        this.#borrowed++;
        this.#spent = true;
      }
      if (this.#state === 'busy') this.#paused = this.#borrowed >= MOST_BORROWED;
      else this.settle();
    } catch (error) {
      this.crash(error);
    }
    return !this.#paused;
  }

  #nextBuffer(): Uint8Array {
    try {
      const small = this.#buffer.bytes.length < LONG_ANSWER;
      if (this.#spent) {
        this.#spent = false;
        this.#buffer = this.#long ? this.#buffers.large() : this.#buffers.small();
      } else if (this.#long && small) {
        this.#buffer.dispose();
        this.#buffer = this.#buffers.large();
      } else if (!this.#long && !small) {
        this.#buffer.dispose();
        this.#buffer = this.#buffers.small();
      }
    } catch (error) {
      this.crash(error);
    }
    return this.#buffer.bytes;
  }

  #onDrain(): void {
    try {
      if (this.#call === null) this.settle();
      else this.#call.onDrain();
    } catch (error) {
      this.crash(error);
    }
  }

  #onEnd(): void {
    try {
      if (!this.#parser.end()) this.#lose();
    } catch (error) {
      this.crash(error);
    }
  }

  #onClose(): void {
    try {
      this.#lose();
    } catch (error) {
      this.crash(error);
    }
  }

  /** The node, or the network, has ended the connection. */
  #lose(): void {
    const call = this.#call;
    if (call === null) this.destroy();
    else if (this.#state === 'connecting') this.fail('connect');
    else this.fail(this.#served > 1 && !call.answered ? 'stale' : 'reset');
  }
}
