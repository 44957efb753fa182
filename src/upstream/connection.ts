import net from 'node:net';
import tls from 'node:tls';
import { type Member, OUTSIDE } from '../collections/crowd.ts';
import type { UpstreamTimeouts } from '../exchange/forward/time-limits.ts';
import type { UpstreamFailureKind } from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import { countLargeRead } from '../http/large-reads.ts';
import type { AnswerHead } from '../http/response-head.ts';
import { freeChunk } from '../http/spent-chunk.ts';
import { atEndOfTurn, type TurnWriter } from '../time/end-of-turn.ts';
import { AnswerParser, type AnswerSink } from './answer-parser.ts';
import type { Call, Wire } from './call.ts';
import { type BufferOwner, ReadBuffer, type ReadBuffers } from './read-buffers.ts';
import { WithheldFailure } from './withheld-failure.ts';

/** Where a connection goes. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Null for plain HTTP. */
  readonly tls: tls.ConnectionOptions | null;
}

/** Receives the events of a connection that it keeps. */
export interface ConnectionKeeper {
  /** The connection may carry another request. */
  onIdle(connection: UpstreamConnection): void;
  onGone(connection: UpstreamConnection): void;
}

/** How long a connection may be quiet, in milliseconds. */
export interface QuietLimits extends UpstreamTimeouts {
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept; less than Jetty's idle time (`druid.server.http.maxIdleTime`, 5 min). */
  readonly keepAliveTimeoutMs: number;
}

/** What has taken longer than its limit. `unused`: no call waits for the connection. */
export type Overdue = 'connect' | 'no_answer' | 'stalled' | 'unused';

export interface ConnectionOptions {
  readonly place: Endpoint;
  readonly maxHeadBytes: number;
  readonly buffers: ReadBuffers;
  readonly keeper: ConnectionKeeper;
  readonly limits: QuietLimits;
  /** The time in milliseconds, as coarse as the keeper's timer. */
  readonly clock: () => number;
  /** Reports the gateway's own faults that belong to no call. */
  readonly errors: InternalErrors;
  /** Hears the code of the socket's error, just before the call hears of its failure. */
  readonly onSocketError?: (code: string) => void;
}

/**
 * `connecting`: a call waits for the connection. `busy`: it carries a call. `finishing`: the answer is complete, but
 * pieces of it are still lent, or the system has not taken all of the request; we keep reading in order to notice the
 * end. `idle`: it may carry another call. `gone`: it has ended.
 */
export type ConnectionState = 'connecting' | 'busy' | 'finishing' | 'idle' | 'gone';

/** Answers longer than this many bytes, announced or received, are read into large buffers. */
const LONG_ANSWER = 256 * 1024;
/** Reading from the node pauses while this many buffers have pieces lent. */
const MOST_BORROWED = 2;
/**
 * How long a client may take for the last pieces of an answer before the connection is given up, in milliseconds. A
 * finishing connection no longer counts for `maxRequestsPerNode`, so slow readers could otherwise hold any number of
 * them.
 */
const FINISHING_MS = 1_000;
/**
 * How long a node may be silent after a write to it has failed, in milliseconds. What it answered before that is here
 * already.
 */
const EARLY_ANSWER_MS = 1_000;
/** Time that Happy Eyeballs gives each address, in milliseconds; Node's default of 250 gives up on slow links. */
const ADDRESS_ATTEMPT_MS = 1_000;

/**
 * One connection to a node. It carries one request at a time, and is reused as long as nothing is in doubt. An error
 * thrown by the gateway's own code, in a socket event or when a lease is returned, ends this connection and nothing
 * else.
 */
export class UpstreamConnection implements AnswerSink, BufferOwner, Wire, TurnWriter, Member {
  place = OUTSIDE;
  readonly #socket: net.Socket;
  /** Set as soon as a request is written in pieces. */
  #failure: WithheldFailure | null = null;
  readonly #keeper: ConnectionKeeper;
  readonly #buffers: ReadBuffers;
  readonly #limits: QuietLimits;
  readonly #clock: () => number;
  readonly #errors: InternalErrors;
  readonly #parser: AnswerParser;
  #state: ConnectionState = 'connecting';
  /** Set in the states `connecting` and `busy`. */
  #call: Call | null = null;
  /** Requests carried so far, including the current one. */
  #served = 0;
  #buffer: ReadBuffer;
  /** Pieces of that buffer are lent. */
  #spent = false;
  /** Number of read buffers with pieces still lent. */
  #borrowed = 0;
  /** Reading from the node is paused; only in state `busy`. */
  #paused = false;
  #read = 0;
  #long = false;
  /** Text that is written at the end of the turn. */
  #out = '';
  /** When either side last made progress. */
  #since: number;
  /** Idle limit announced by the node, in milliseconds. */
  #idleLimitMs = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    const { place, maxHeadBytes, buffers, keeper, limits, clock, errors, onSocketError } = options;
    this.#keeper = keeper;
    this.#buffers = buffers;
    this.#limits = limits;
    this.#clock = clock;
    this.#errors = errors;
    this.#since = clock();
    this.#buffer = buffers.small();
    this.#parser = new AnswerParser(this, maxHeadBytes);
    this.#socket = place.tls === null ? this.#dial(place) : this.#dialTls(place, place.tls);
    this.#socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => onSocketError?.(code));
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

  /** Returns what is overdue, or null; `now` is on the connection's clock, in milliseconds. */
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
    // The client has to act next, so the node is not late: before the answer's head while the client has not sent the
    // request, after it while the client does not take the lent pieces.
    if (call.headed ? this.#paused : call.awaitsClient) return null;
    const limit = call.quietLimitMs(this.#limits);
    if (limit > 0 && quiet > limit) return call.headed ? 'stalled' : 'no_answer';
    return null;
  }

  /** Restarts the quiet time. */
  touch(): void {
    this.#since = this.#clock();
  }

  /** Carries this call, at once or when the connection is established. */
  assign(call: Call): void {
    this.#call = call;
    this.#served++;
    this.touch();
    this.#parser.expect();
    if (this.#state === 'connecting') return;
    this.#state = 'busy';
    call.begin(this);
  }

  writeHead(text: string): void {
    if (this.#out === '') atEndOfTurn(this);
    this.#out += text;
  }

  writeOut(): void {
    const out = this.#out;
    if (out === '') return;
    this.#out = '';
    try {
      this.#socket.write(out, 'latin1');
    } catch (error) {
      this.crash(error);
    }
  }

  onWrittenOut(): void {}

  write(data: string | Buffer, spent = false): boolean {
    this.writeOut();
    const more =
      typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#writePiece(data, spent);
    // A long piece asks for a pause, also if the system has taken it at once; then there is nothing to wait for.
    return more || this.#socket.writableLength === 0;
  }

  #writePiece(piece: Buffer, spent: boolean): boolean {
    if (!spent) return this.#socket.write(piece);
    // After an error the system may still be about to send it.
    return this.#socket.write(piece, (error) => {
      if (error == null) freeChunk(piece);
    });
  }

  /** The request is longer than what the system takes at once, so the node can answer before it has all of it. */
  expectEarlyAnswer(): void {
    this.#failure ??= new WithheldFailure(this.#socket, {
      quietMs: EARLY_ANSWER_MS,
      isPaused: () => this.#paused,
    });
  }

  /** Collects writes until `uncork`, then sends them together. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** Ends the connection; a call waiting for an answer fails with `kind`. */
  fail(kind: UpstreamFailureKind): void {
    const call = this.#call;
    this.destroy();
    call?.fail(kind);
  }

  /**
   * Ends the connection because the gateway's own code threw. The error goes to the waiting call, or to the fault
   * report if there is none.
   */
  crash(error: unknown): void {
    const call = this.#call;
    this.destroy();
    if (call === null) this.#errors.report('upstream', error);
    else call.crash(error);
  }

  /** Ends the connection. Never throws, because every fault ends here. */
  destroy(): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#out = '';
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

  /** Makes a finishing connection idle once nothing is lent or unsent. */
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

  onBody(buffer: Buffer, from: number, to: number, text: string | null): void {
    this.touch();
    this.#read += to - from;
    if (this.#read > LONG_ANSWER) this.#long = true;
    this.#call?.onBody(buffer.subarray(from, to), this.#buffer.borrow(), text);
  }

  onWhole(trailers: HeaderBlock, reusable: boolean): void {
    const call = this.#call;
    this.#long = false;
    this.touch();
    // A node that answers before it has the whole request will misread what follows. Bytes already received after the
    // answer belong to no request.
    if (!reusable || call?.sent !== true || call.closesAfter || this.#socket.readableLength > 0)
      this.destroy();
    else {
      this.#state = 'finishing';
      // The call's `onWhole` may send the next request on this connection at once.
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

  /** Dials with TLS, which allocates its own buffers. */
  #dialTls({ host, port }: Endpoint, options: tls.ConnectionOptions): tls.TLSSocket {
    return tls
      .connect({ ...options, host, port })
      .setNoDelay()
      .on('secureConnect', () => this.#onConnect())
      .on('data', (data: Buffer) => {
        countLargeRead(data.length);
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

  /** Handles bytes read; false stops reading until `resume`. */
  #onRead(buffer: ReadBuffer, length: number): boolean {
    const call = this.#call;
    this.#failure?.touch();
    if (call === null) {
      // No call is waiting for these bytes.
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
    this.#failure?.clear();
    try {
      this.#lose();
    } catch (error) {
      this.crash(error);
    }
  }

  /** Handles a connection ended by the node or the network. */
  #lose(): void {
    const call = this.#call;
    if (call === null) this.destroy();
    else if (this.#state === 'connecting') this.fail('connect');
    else this.fail(this.#served > 1 && !call.answered ? 'stale' : 'reset');
  }
}
