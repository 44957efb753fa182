import type { UpstreamNode } from '../cluster/node.ts';
import { quietLimit, type UpstreamTimeouts } from '../exchange/forward/time-limits.ts';
import type {
  UpstreamCall,
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { type BodySink, type BodyStream, WholeBody } from '../http/body.ts';
import type { BufferLease } from '../http/buffer-lease.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { AnswerHead } from '../http/response-head.ts';
import type { RequestOpening } from './request-opening.ts';

/** A body up to this many bytes is written together with its head. */
const ONE_WRITE = 16 * 1024;

/**
 * Progress of the request. `open`: more of it may be written. `blocked`: the node takes nothing more at the moment.
 * `sent`: its last byte has been written.
 */
type RequestState = 'open' | 'blocked' | 'sent';

/** Progress of the answer. `begun`: bytes have come. `headed`: its head is complete. */
type AnswerState = 'awaited' | 'begun' | 'headed';

/** The connection that a call goes out on. */
export interface Wire {
  /** Carries the call, at once or when the connection is established. */
  assign(call: Call): void;
  /** Writes a whole request, or its beginning, at the end of the turn or before the next `write`. */
  writeHead(text: string): void;
  /** Writes; false while the node takes nothing more. `spent`: the data is a piece to be freed once it is written. */
  write(data: string | Buffer, spent?: boolean): boolean;
  /** Call before a long request: a node that answers before it has read the whole is heard. */
  expectEarlyAnswer(): void;
  /** Collects writes until `uncork`, then sends them together. */
  cork(): void;
  uncork(): void;
  /** Restarts the quiet time, because either side has made progress. */
  touch(): void;
  destroy(): void;
}

/**
 * One attempt of a request, between a connection and the exchange. It counts as `outstanding` exactly once. An error
 * thrown by the exchange's handler ends the attempt and is reported to the exchange.
 */
export class Call implements UpstreamCall, BodySink {
  readonly #node: UpstreamNode;
  readonly #opening: RequestOpening;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #errors: InternalErrors;
  #connection: Wire | null = null;
  #over = false;
  /** `sendOn` has returned; from now on the handler hears of errors. */
  #assigned = false;
  /** The first error thrown. */
  #thrown: { readonly error: unknown } | null = null;
  #requestState: RequestState = 'open';
  #answerState: AnswerState = 'awaited';

  constructor(
    node: UpstreamNode,
    opening: RequestOpening,
    request: UpstreamRequest,
    handler: UpstreamHandler,
    errors: InternalErrors,
  ) {
    this.#node = node;
    this.#opening = opening;
    this.#request = request;
    this.#handler = handler;
    this.#errors = errors;
    if (!request.uncounted) node.begin();
  }

  /** The connection serves this call only. Otherwise the connections of many writes would pile up. */
  get closesAfter(): boolean {
    return this.#request.fresh;
  }

  /** How long the call may be quiet now, in milliseconds; 0 is no limit. */
  quietLimitMs(usual: UpstreamTimeouts): number {
    return quietLimit(this.#request, usual, this.headed);
  }

  /** A byte of an answer has come. */
  get answered(): boolean {
    return this.#answerState !== 'awaited';
  }

  /** The answer's head has come. */
  get headed(): boolean {
    return this.#answerState === 'headed';
  }

  /** The request's last byte has been written. */
  get sent(): boolean {
    return this.#requestState === 'sent';
  }

  /** The request is not complete, and waits for the client's next piece. */
  get awaitsClient(): boolean {
    return this.#requestState === 'open';
  }

  /**
   * Sends the call on this connection. Throws the first error thrown meanwhile; the call is then over, and the
   * handler hears nothing.
   */
  sendOn(connection: Wire): this {
    this.#connection = connection;
    try {
      connection.assign(this);
    } catch (error) {
      this.crash(error);
    }
    if (this.#thrown !== null) throw this.#thrown.error;
    this.#assigned = true;
    return this;
  }

  abort(): void {
    if (this.#over) return;
    this.#finishQuietly();
    this.#connection?.destroy();
  }

  /** Writes the request to an established connection. */
  begin(connection: Wire): void {
    const { method, target, headers, body, bodyLength } = this.#request;
    const last = this.closesAfter ? 'Connection: close\r\n' : '';
    const head = `${this.#opening.of(method, target)}${headers}${last}`;
    if (body === null) {
      const empty = method === 'POST' || method === 'PUT';
      connection.writeHead(empty ? `${head}Content-Length: 0\r\n\r\n` : `${head}\r\n`);
      this.#requestState = 'sent';
      return;
    }
    if (body instanceof WholeBody) {
      const framed = `${head}Content-Length: ${body.length}\r\n\r\n`;
      if (body.length <= ONE_WRITE) connection.writeHead(framed + body.text);
      else {
        connection.expectEarlyAnswer();
        connection.cork();
        connection.writeHead(framed);
        connection.write(body.bytes);
        connection.uncork();
      }
      this.#requestState = 'sent';
      this.#handler.onBodySent(body.length);
      return;
    }
    const framing = bodyLength === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${bodyLength}`;
    connection.expectEarlyAnswer();
    connection.writeHead(`${head}${framing}\r\n\r\n`);
    body.start(this);
  }

  write(chunk: Buffer, spent = false): boolean {
    const connection = this.#connection;
    if (this.#over || connection === null) return false;
    // A chunk of no bytes would end a chunked body.
    if (chunk.length === 0) return this.#requestState === 'open';
    try {
      connection.touch();
      this.#handler.onBodySent(chunk.length);
      const more = this.#framed(connection, chunk, spent);
      this.#requestState = more ? 'open' : 'blocked';
      return more;
    } catch (error) {
      this.crash(error);
      return false;
    }
  }

  #framed(connection: Wire, chunk: Buffer, spent: boolean): boolean {
    if (this.#request.bodyLength !== null) return connection.write(chunk, spent);
    connection.cork();
    connection.write(`${chunk.length.toString(16)}\r\n`);
    connection.write(chunk, spent);
    const more = connection.write('\r\n');
    connection.uncork();
    return more;
  }

  end(): void {
    if (this.#over) return;
    try {
      this.#connection?.touch();
      if (this.#request.bodyLength === null) this.#connection?.write('0\r\n\r\n');
      this.#requestState = 'sent';
    } catch (error) {
      this.crash(error);
    }
  }

  onDrain(): void {
    if (this.#requestState === 'blocked') this.#requestState = 'open';
    this.#connection?.touch();
    try {
      this.#stream?.resume();
    } catch (error) {
      this.crash(error);
    }
  }

  onInterim(head: AnswerHead): void {
    if (this.#over) return;
    try {
      this.#handler.onInterim?.(head);
    } catch (error) {
      this.crash(error);
    }
  }

  /** Bytes of the answer have come. */
  onBytes(): void {
    if (this.#answerState === 'awaited') this.#answerState = 'begun';
  }

  onHead(head: AnswerHead): void {
    this.#answerState = 'headed';
    if (this.#over) return;
    try {
      this.#handler.onHead(head);
    } catch (error) {
      this.crash(error);
    }
  }

  onBody(chunk: Buffer, lease: BufferLease, text: string | null): void {
    if (this.#over) {
      lease.release();
      return;
    }
    try {
      this.#handler.onData(chunk, lease, text);
    } catch (error) {
      this.crash(error);
    }
  }

  onRest(): void {
    if (this.#over) return;
    try {
      this.#handler.onRest();
    } catch (error) {
      this.crash(error);
    }
  }

  /** The answer is complete; the call lets go of the connection. */
  onWhole(trailers: HeaderBlock): void {
    if (this.#over) return;
    this.#connection = null;
    try {
      this.#finish();
      this.#handler.onEnd(trailers);
    } catch (error) {
      this.crash(error);
    }
  }

  fail(kind: UpstreamFailureKind): void {
    if (this.#over) return;
    try {
      this.#finish();
      this.#handler.onFailure({ kind, answered: this.answered });
    } catch (error) {
      this.crash(error);
    }
  }

  /**
   * The gateway's own code threw. Ends the attempt unless it was over, and tells the handler once, as its last event.
   * Further errors are reported as faults that belong to no request.
   */
  crash(error: unknown): void {
    if (this.#thrown !== null) {
      this.#errors.report('upstream', error);
      return;
    }
    this.#thrown = { error };
    if (!this.#over) {
      this.#finishQuietly();
      this.#connection?.destroy();
    }
    if (!this.#assigned) return;
    try {
      this.#handler.onInternalError(error);
    } catch (another) {
      this.#errors.report('upstream', another);
    }
  }

  get #stream(): BodyStream | null {
    const { body } = this.#request;
    return body === null || body instanceof WholeBody ? null : body;
  }

  #finish(): void {
    this.#over = true;
    if (!this.#request.uncounted) this.#node.end();
    this.#stream?.stop();
  }

  /** Finishes, but reports an error thrown by the body as a fault instead of to the handler. */
  #finishQuietly(): void {
    try {
      this.#finish();
    } catch (error) {
      this.#errors.report('upstream', error);
    }
  }
}
