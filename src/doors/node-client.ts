import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientEvents, ClientSide, RequestHead } from '../exchange/client-side.ts';

export interface DoorState {
  /** The door asks its clients to go elsewhere. */
  draining: boolean;
  /** How long a client may take to read what it has been sent, in milliseconds; 0 for no limit. */
  readonly sendTimeoutMs: number;
}

/**
 * What is left of a request's body after its answer is read for so long and so far: a client that is still
 * sending must be able to read the answer, which closing the connection at once would destroy (RFC 9112 9.6).
 */
const LINGER_MS = 2_000;
const LINGER_BYTES = 8 * 1024 * 1024;

const PLAIN_REASON = /^[\t\x20-\x7e]*$/;

/** A request of `node:http` as the exchange sees it. */
export class NodeClient implements ClientSide {
  readonly head: RequestHead;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #door: DoorState;
  #awaitsContinue: boolean;
  #closed = false;
  #patience: NodeJS.Timeout | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    door: DoorState,
    id: string,
    receivedAt: number,
  ) {
    this.#request = request;
    this.#response = response;
    this.#door = door;
    this.#awaitsContinue = request.headers.expect !== undefined && request.httpVersionMinor > 0;
    this.head = requestHead(request, id, receivedAt);
  }

  get body(): IncomingMessage {
    return this.#request;
  }

  invite(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    if (!this.#response.headersSent) this.#response.writeContinue();
  }

  listen(events: ClientEvents): void {
    const response = this.#response;
    const close = (): void => {
      if (this.#closed) return;
      this.#closed = true;
      this.#calm();
      events.onClose(response.writableFinished);
    };
    response.on('close', close);
    response.on('drain', () => {
      this.#calm();
      events.onDrain();
    });
    // A pipelined request whose answer is not yet its connection's turn hears nothing when the connection ends.
    if (response.socket === null) this.#request.socket.once('close', close);
  }

  writeHead(status: number, reason: string, headers: string[], hasDate: boolean): void {
    const response = this.#response;
    response.sendDate = !hasDate;
    if (this.#door.draining) response.shouldKeepAlive = false;
    if (reason !== '' && PLAIN_REASON.test(reason)) response.writeHead(status, reason, headers);
    else response.writeHead(status, headers);
  }

  write(chunk: Uint8Array): boolean {
    const more = this.#response.write(chunk);
    if (!more) this.#beImpatient();
    return more;
  }

  end(chunk?: Uint8Array | string, trailers?: readonly string[]): void {
    const response = this.#response;
    if (trailers !== undefined && trailers.length > 0) response.addTrailers(pairs(trailers));
    if (this.#request.complete || this.#awaitsContinue) {
      response.end(chunk);
      if (response.writableLength > 0) this.#beImpatient();
      return;
    }
    this.#linger(chunk);
  }

  /** A client that reads nothing keeps memory and a connection to Druid: it has so long. */
  #beImpatient(): void {
    const { sendTimeoutMs } = this.#door;
    if (sendTimeoutMs === 0 || this.#closed) return;
    this.#patience ??= setTimeout(() => this.reset(), sendTimeoutMs);
  }

  #calm(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
  }

  /**
   * Answers, and goes on reading for a while. A connection that is to be closed after the answer must not be
   * closed before; one that stays open needs the body's end to find the next request.
   */
  #linger(chunk: Uint8Array | string | undefined): void {
    const request = this.#request;
    const response = this.#response;
    const { socket } = request;
    const stays = response.shouldKeepAlive && !this.#door.draining && this.head.httpMinor > 0;
    if (stays) response.end(chunk);
    else if (chunk === undefined) response.flushHeaders();
    else response.write(chunk);
    let left = LINGER_BYTES;
    const count = (data: Buffer): void => {
      left -= data.byteLength;
      if (left < 0) stop(true);
    };
    const stop = (cut: boolean): void => {
      clearTimeout(timer);
      request.off('data', count);
      if (!stays) response.end();
      if (cut) socket.destroySoon();
    };
    const timer = setTimeout(stop, LINGER_MS, true);
    request.once('end', () => stop(false));
    socket.once('close', () => clearTimeout(timer));
    request.on('data', count);
    request.resume();
  }

  reset(): void {
    const { socket } = this.#request;
    if (!this.head.encrypted && socket instanceof Socket) socket.resetAndDestroy();
    else socket.destroy();
  }
}

/** The head of a request of `node:http`. */
export function requestHead(request: IncomingMessage, id: string, receivedAt: number): RequestHead {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    httpMinor: request.httpVersionMinor,
    remoteAddress: plainAddress(request.socket.remoteAddress ?? ''),
    encrypted: (request.socket as Partial<TLSSocket>).encrypted === true,
    id,
    receivedAt,
  };
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) list.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return list;
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
