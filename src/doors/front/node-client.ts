import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientEvents, ClientSide, RequestHead } from '../../exchange/ports/client.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { blockOf, flatOf, type HeaderBlock } from '../../http/header-block.ts';
import { readRequestFields } from '../../http/request-fields.ts';
import { type DoorState, LINGER_BYTES, LINGER_MS, PLAIN_REASON, plainAddress } from '../door-state.ts';
import { GuardedClient } from '../guarded-client.ts';
import { cut, knowWhole } from '../last-word.ts';
import { BodyIntake } from './body-intake.ts';

/** Node's parser also takes 0.9 and 2.0, with the lines of HTTP/1.1. */
const OTHER_VERSION = 'The only versions of HTTP taken are 1.0 and 1.1.';

/** A request of `node:http` as the exchange sees it. */
export class NodeClient extends GuardedClient implements ClientSide, BodySource {
  readonly whole = null;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #door: DoorState;
  #awaitsContinue: boolean;
  #ended = false;
  #patience: NodeJS.Timeout | null = null;
  /** Once somebody wants the body. */
  #intake: BodyIntake | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    door: DoorState,
    id: string,
    receivedAt: number,
    errors: InternalErrors,
  ) {
    super(requestHead(request, id, receivedAt), errors);
    this.#request = request;
    this.#response = response;
    this.#door = door;
    this.#awaitsContinue = request.headers.expect !== undefined && request.httpVersionMinor > 0;
  }

  get body(): BodySource {
    return this;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  invite(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    if (!this.#response.headersSent) this.#response.writeContinue();
  }

  deliver(onData: (chunk: Buffer) => void, onEnd: () => void): void {
    let failed = false;
    const contained = (step: () => void): void => {
      if (failed) return;
      try {
        step();
      } catch (error) {
        failed = true;
        this.failRequest(error);
      }
    };
    this.#intake = new BodyIntake(this.#request, {
      onData: (chunk) => contained(() => onData(chunk)),
      onEnd: () => contained(onEnd),
    });
  }

  override listen(events: ClientEvents): void {
    super.listen(events);
    const response = this.#response;
    response.on('close', () => {
      this.tellClose(response.writableFinished);
      this.#calm();
    });
    response.on('drain', () => this.#calm());
  }

  pause(): void {
    this.#intake?.pause();
  }

  resume(): void {
    this.#intake?.resume();
  }

  writeHead(status: number, reason: string, headers: HeaderBlock, hasDate: boolean): void {
    const response = this.#response;
    if (this.over) return;
    if (response.headersSent) {
      this.answeredTwice();
      return;
    }
    response.sendDate = !hasDate;
    if (this.#door.draining) response.shouldKeepAlive = false;
    const flat = flatOf(headers);
    if (reason !== '' && PLAIN_REASON.test(reason)) response.writeHead(status, reason, flat);
    else response.writeHead(status, flat);
  }

  write(chunk: Buffer, lease: BufferLease): void {
    if (this.over || this.#ended) {
      this.giveBack(lease);
      return;
    }
    if (!this.#response.write(chunk, () => this.giveBack(lease))) this.#beImpatient();
  }

  /** `node:http` does so by itself. */
  flush(): void {}

  end(chunk?: Buffer, trailers?: HeaderBlock): void {
    const response = this.#response;
    if (this.over || this.#ended) return;
    this.#ended = true;
    if (trailers !== undefined && trailers !== '') response.addTrailers(pairs(flatOf(trailers)));
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
    if (sendTimeoutMs === 0 || this.over) return;
    this.#patience ??= setTimeout(
      () =>
        contain(
          () => cut(this.#request.socket),
          (error) => this.failConnection(error),
        ),
      sendTimeoutMs,
    );
  }

  #calm(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
  }

  /**
   * Answers, and goes on reading for a while. A connection that is to be closed after the answer must not be
   * closed before; one that stays open needs the body's end to find the next request.
   */
  #linger(chunk: Buffer | undefined): void {
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
    const stop = (cuts: boolean): void => {
      clearTimeout(timer);
      request.off('data', count);
      socket.off('close', calm);
      try {
        if (!stays) response.end();
        // The front door's own way would go on reading.
        if (cuts) Socket.prototype.destroySoon.call(socket);
      } catch (error) {
        this.failConnection(error);
      }
    };
    const timer = setTimeout(stop, LINGER_MS, true);
    request.once('end', () => stop(false));
    const calm = (): void => clearTimeout(timer);
    socket.once('close', calm);
    request.on('data', count);
    if (!stays) knowWhole(response, () => stop(false));
    if (this.#intake === null) request.resume();
    else this.#intake.drop();
  }

  /** An answer that is whole is left alone: the client has it, or is getting it. */
  reset(): void {
    if (!this.#ended) cut(this.#request.socket);
  }

  destroy(): void {
    this.#request.socket.destroy();
  }
}

/** The head of a request of `node:http`. */
export function requestHead(request: IncomingMessage, id: string, receivedAt: number): RequestHead {
  const block = blockOf(request.rawHeaders);
  const fields = readRequestFields(block);
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    block,
    fields: request.httpVersionMajor === 1 ? fields : { ...fields, fault: OTHER_VERSION },
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
