import type { UpstreamNode } from '../cluster/node.ts';
import type {
  UpstreamCall,
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { BodySink, BodyStream } from '../http/body.ts';
import type { BufferLease } from '../http/buffer-lease.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { AnswerHead } from '../http/response-head.ts';

/** A body up to this many bytes goes out in one write with its head. */
const ONE_WRITE = 16 * 1024;

/** What is usual. */
export interface UpstreamTimeouts {
  /** Time from the request to the answer's whole head, whatever comes before that; 0 waits for ever. */
  readonly responseTimeoutMs: number;
  /** Time between two bytes of the answer's body; 0 waits for ever. */
  readonly idleTimeoutMs: number;
}

/** The connection that a call goes out on. */
export interface Wire {
  /** Carries the call, at once or as soon as there is a connection. */
  assign(call: Call): void;
  /** False while the node takes nothing more. */
  write(data: string | Buffer): boolean;
  /** What is written until `uncork` goes out together. */
  cork(): void;
  uncork(): void;
  /** Either side has got on. */
  touch(): void;
  destroy(): void;
}

/**
 * One attempt: a connection on one side, the exchange on the other, and `outstanding` counted exactly once. What the
 * exchange throws when it is told something ends the attempt, and is told to the exchange.
 */
export class Call implements UpstreamCall, BodySink {
  readonly #node: UpstreamNode;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #errors: InternalErrors;
  #connection: Wire | null = null;
  #over = false;
  /** The node takes nothing more at the moment. */
  #blocked = false;
  /** `ride` has returned: from now on the handler hears what happens. */
  #assigned = false;
  /** What was thrown first. */
  #thrown: { readonly error: unknown } | null = null;
  /** A byte of an answer has come. */
  answered = false;
  /** The request's last byte has been written. */
  sent = false;
  /** The answer's head is there. */
  headed = false;

  constructor(
    node: UpstreamNode,
    request: UpstreamRequest,
    handler: UpstreamHandler,
    errors: InternalErrors,
  ) {
    this.#node = node;
    this.#request = request;
    this.#handler = handler;
    this.#errors = errors;
    node.outstanding++;
  }

  /** Its connection is for it alone: those of many writes would pile up otherwise. */
  get closesAfter(): boolean {
    return this.#request.fresh;
  }

  /** How long it may be quiet now, in milliseconds; 0 is for ever. */
  quietLimitMs({ responseTimeoutMs, idleTimeoutMs }: UpstreamTimeouts): number {
    const own = this.#request;
    if (!this.headed) return own.responseTimeoutMs ?? responseTimeoutMs;
    if (own.idleTimeoutMs !== undefined) return own.idleTimeoutMs;
    return idleTimeoutMs === 0 ? 0 : Math.max(idleTimeoutMs, own.responseTimeoutMs ?? 0);
  }

  /** The request is not whole, and its client's next piece is what is missing. */
  get awaitsClient(): boolean {
    return !this.sent && !this.#blocked;
  }

  /** Goes out on this connection. Throws what is thrown meanwhile; then it is over, and the handler hears nothing. */
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

  /** The connection is there. */
  begin(connection: Wire): void {
    const { method, target, headers, body, bodyLength } = this.#request;
    const { hostAndPort } = this.#node;
    const last = this.closesAfter ? 'Connection: close\r\n' : '';
    const head = `${method} ${target} HTTP/1.1\r\nHost: ${hostAndPort}\r\n${headers}${last}`;
    if (body === null) {
      const empty = method === 'POST' || method === 'PUT';
      connection.write(empty ? `${head}Content-Length: 0\r\n\r\n` : `${head}\r\n`);
      this.sent = true;
      return;
    }
    if (Buffer.isBuffer(body)) {
      const framed = `${head}Content-Length: ${body.length}\r\n\r\n`;
      if (body.length <= ONE_WRITE) connection.write(framed + body.toString('latin1'));
      else {
        connection.cork();
        connection.write(framed);
        connection.write(body);
        connection.uncork();
      }
      this.sent = true;
      this.#handler.onBodySent(body.length);
      return;
    }
    const framing = bodyLength === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${bodyLength}`;
    connection.write(`${head}${framing}\r\n\r\n`);
    body.start(this);
  }

  write(chunk: Buffer): boolean {
    const connection = this.#connection;
    if (this.#over || connection === null) return false;
    try {
      connection.touch();
      this.#handler.onBodySent(chunk.length);
      this.#blocked = !this.#framed(connection, chunk);
      return !this.#blocked;
    } catch (error) {
      this.crash(error);
      return false;
    }
  }

  #framed(connection: Wire, chunk: Buffer): boolean {
    if (this.#request.bodyLength !== null) return connection.write(chunk);
    connection.cork();
    connection.write(`${chunk.length.toString(16)}\r\n`);
    connection.write(chunk);
    const more = connection.write('\r\n');
    connection.uncork();
    return more;
  }

  end(): void {
    if (this.#over) return;
    try {
      this.#connection?.touch();
      if (this.#request.bodyLength === null) this.#connection?.write('0\r\n\r\n');
      this.sent = true;
    } catch (error) {
      this.crash(error);
    }
  }

  onDrain(): void {
    this.#blocked = false;
    this.#connection?.touch();
    try {
      this.#stream?.resume();
    } catch (error) {
      this.crash(error);
    }
  }

  onHead(head: AnswerHead): void {
    this.headed = true;
    if (this.#over) return;
    try {
      this.#handler.onHead(head);
    } catch (error) {
      this.crash(error);
    }
  }

  onBody(chunk: Buffer, lease: BufferLease): void {
    if (this.#over) {
      lease.release();
      return;
    }
    try {
      this.#handler.onData(chunk, lease);
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

  /** The connection is another's from now on. */
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
   * Something of ours threw. Ends the attempt unless it was over, and tells the handler, once, whose last word this
   * is. What is thrown besides is told where errors are told that belong to no request.
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
    return body === null || Buffer.isBuffer(body) ? null : body;
  }

  #finish(): void {
    this.#over = true;
    this.#node.outstanding--;
    this.#stream?.stop();
  }

  /** Where the handler is not to hear of what the body throws. */
  #finishQuietly(): void {
    try {
      this.#finish();
    } catch (error) {
      this.#errors.report('upstream', error);
    }
  }
}
