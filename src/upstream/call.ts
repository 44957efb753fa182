import type { UpstreamNode } from '../cluster/node.ts';
import type { AnswerHead } from '../exchange/answer-head.ts';
import type { BodySink, BodyStream } from '../exchange/body.ts';
import type { Loan } from '../exchange/client-side.ts';
import type { HeaderBlock } from '../exchange/header-block.ts';
import type {
  UpstreamCall,
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../exchange/upstream-side.ts';
import type { UpstreamConnection } from './connection.ts';

/** A body up to this many bytes goes out in one write with its head. */
const ONE_WRITE = 16 * 1024;

/** What is usual. */
export interface Patience {
  /** Time to the first byte of the answer; 0 waits for ever. */
  readonly responseTimeoutMs: number;
  /** Time between two bytes of the answer's body; 0 waits for ever. */
  readonly idleTimeoutMs: number;
}

/** One attempt: a connection on one side, the exchange on the other, and `outstanding` counted exactly once. */
export class Call implements UpstreamCall, BodySink {
  readonly #node: UpstreamNode;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  #connection: UpstreamConnection | null = null;
  #over = false;
  /** The node takes nothing more at the moment. */
  #blocked = false;
  /** A byte of an answer has come. */
  answered = false;
  /** The request's last byte has been written. */
  sent = false;
  /** The answer's head is there. */
  headed = false;

  constructor(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler) {
    this.#node = node;
    this.#request = request;
    this.#handler = handler;
    node.outstanding++;
  }

  /** Its connection is for it alone: those of many writes would pile up otherwise. */
  get last(): boolean {
    return this.#request.fresh;
  }

  /** How long it may be quiet now, in milliseconds; 0 is for ever. */
  patienceMs({ responseTimeoutMs, idleTimeoutMs }: Patience): number {
    const { patienceMs, idlePatienceMs } = this.#request;
    if (!this.headed) return patienceMs ?? responseTimeoutMs;
    if (idlePatienceMs !== undefined) return idlePatienceMs;
    return idleTimeoutMs === 0 ? 0 : Math.max(idleTimeoutMs, patienceMs ?? 0);
  }

  /** Its client has the next word, and the node nothing to answer for. */
  get awaitsClient(): boolean {
    return !this.sent && !this.#blocked;
  }

  ride(connection: UpstreamConnection): this {
    this.#connection = connection;
    connection.carry(this);
    return this;
  }

  abort(): void {
    if (!this.#settle()) return;
    this.#connection?.destroy();
  }

  /** The connection is there. */
  begin(connection: UpstreamConnection): void {
    const { method, target, headers, body, bodyLength } = this.#request;
    const { hostAndPort } = this.#node;
    const last = this.last ? 'Connection: close\r\n' : '';
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
        connection.together(() => {
          connection.write(framed);
          connection.write(body);
        });
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
    connection.touch();
    this.#handler.onBodySent(chunk.length);
    this.#blocked = !this.#framed(connection, chunk);
    return !this.#blocked;
  }

  #framed(connection: UpstreamConnection, chunk: Buffer): boolean {
    if (this.#request.bodyLength !== null) return connection.write(chunk);
    let more = true;
    connection.together(() => {
      connection.write(`${chunk.length.toString(16)}\r\n`);
      connection.write(chunk);
      more = connection.write('\r\n');
    });
    return more;
  }

  end(): void {
    if (this.#over) return;
    this.#connection?.touch();
    if (this.#request.bodyLength === null) this.#connection?.write('0\r\n\r\n');
    this.sent = true;
  }

  onDrain(): void {
    this.#blocked = false;
    this.#connection?.touch();
    this.#stream?.resume();
  }

  onHead(head: AnswerHead): void {
    this.headed = true;
    if (!this.#over) this.#handler.onHead(head);
  }

  onBody(chunk: Buffer, loan: Loan): void {
    if (this.#over) loan.release();
    else this.#handler.onData(chunk, loan);
  }

  onRest(): void {
    if (!this.#over) this.#handler.onRest();
  }

  onWhole(trailers: HeaderBlock): void {
    if (this.#settle()) this.#handler.onEnd(trailers);
  }

  fail(kind: UpstreamFailureKind): void {
    if (this.#settle()) this.#handler.onFailure({ kind, answered: this.answered });
  }

  get #stream(): BodyStream | null {
    const { body } = this.#request;
    return body === null || Buffer.isBuffer(body) ? null : body;
  }

  #settle(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#node.outstanding--;
    this.#stream?.stop();
    return true;
  }
}
