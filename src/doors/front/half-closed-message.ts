import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HalfClosedRequest } from '../half-closed.ts';

/** A request of `node:http` whose client has ended its side. */
export class HalfClosedMessage implements HalfClosedRequest {
  readonly #response: ServerResponse;
  readonly socket: Socket;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.socket = response.req.socket;
  }

  get over(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  get isLast(): boolean {
    return !this.#response.shouldKeepAlive;
  }

  get mayBeAsked(): boolean {
    const { req, headersSent } = this.#response;
    return req.httpVersionMinor > 0 && req.complete && !headersSent && !this.over;
  }

  ask(): void {
    this.#response.writeContinue();
  }

  abandon(): void {
    this.socket.destroy();
  }
}
