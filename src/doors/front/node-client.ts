import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientEvents, ClientSide, RequestHead } from '../../exchange/ports/client.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { blockOf, flatOf, type HeaderBlock } from '../../http/header-block.ts';
import { readRequestFields } from '../../http/request-fields.ts';
import { atEndOfTurn, type TurnWriter } from '../../time/end-of-turn.ts';
import { certificateName } from '../client-certificate.ts';
import { type DoorState, interimHead, ONE_WRITE, PLAIN_REASON, plainAddress } from '../door-state.ts';
import { GuardedClient } from '../guarded-client.ts';
import { cut, knowWhole } from '../last-word.ts';
import { LINGER_BYTES, LINGER_MS } from '../read-limits.ts';
import { authorityOf } from './absolute-form.ts';
import { BodyIntake } from './body-intake.ts';

/** Node's parser also accepts versions 0.9 and 2.0, in the syntax of HTTP/1.1. */
const OTHER_VERSION = 'The only versions of HTTP taken are 1.0 and 1.1.';

/** A request of `node:http` as the exchange sees it. */
export class NodeClient extends GuardedClient implements ClientSide, BodySource, TurnWriter {
  readonly whole = null;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #door: DoorState;
  #awaitsContinue: boolean;
  #ended = false;
  /** Pieces that have not been written yet. */
  #out = '';
  /** They are written at the end of the turn, and so is the end of the answer. */
  #waitsForEnd = false;
  /** Set once the body is wanted. */
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
    response.on('close', () => this.tellClose(response.writableFinished));
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

  /**
   * Writes to the socket directly, because `node:http` can write only some interim answers. Nothing of the final
   * answer has been written yet.
   */
  writeInterim(status: number, headers: HeaderBlock): void {
    const response = this.#response;
    if (this.over || response.headersSent) return;
    response.socket?.write(interimHead(status, headers), 'latin1');
  }

  write(chunk: Buffer, lease: BufferLease): void {
    if (this.over || this.#ended) {
      this.giveBack(lease);
      return;
    }
    if (chunk.length <= ONE_WRITE && !this.#response.writableNeedDrain) {
      this.#out += chunk.toString('latin1');
      this.giveBack(lease);
      return;
    }
    this.#writeNow();
    if (!this.#response.write(chunk, () => this.giveBack(lease))) this.#watch();
  }

  flush(): void {
    if (this.#out.length > ONE_WRITE) this.#writeNow();
    else if (this.#out !== '') this.#writeLater();
  }

  end(chunk?: Buffer, trailers?: HeaderBlock): void {
    const response = this.#response;
    if (this.over || this.#ended) return;
    this.#ended = true;
    if (trailers !== undefined && trailers !== '') response.addTrailers(pairs(flatOf(trailers)));
    if (chunk !== undefined) this.#out += chunk.toString('latin1');
    if (this.#request.complete) this.#writeLater();
    else if (this.#awaitsContinue) this.#writeEnd();
    else this.#linger();
  }

  writeOut(): void {
    this.#waitsForEnd = false;
    try {
      if (this.over) return;
      if (this.#ended) this.#writeEnd();
      else this.#writeNow();
    } catch (error) {
      this.failRequest(error);
    }
  }

  onWrittenOut(): void {}

  #writeLater(): void {
    if (this.#waitsForEnd) return;
    this.#waitsForEnd = true;
    atEndOfTurn(this);
  }

  #writeNow(): void {
    const out = this.#out;
    this.#out = '';
    if (out !== '' && !this.#response.write(out, 'latin1')) this.#watch();
  }

  #writeEnd(): void {
    const response = this.#response;
    if (this.#out === '') response.end();
    else response.end(this.#out, 'latin1');
    this.#out = '';
    if (response.writableLength > 0) this.#watch();
  }

  /** Watches the socket, which holds data that the client has not taken yet. */
  #watch(): void {
    this.#door.slowReaders.watch(this.#request.socket);
  }

  /**
   * Answers, and keeps reading the request for up to `LINGER_MS` or `LINGER_BYTES`. A connection that closes after
   * the answer must stay open until then. One that stays open must reach the end of the body to find the next
   * request.
   */
  #linger(): void {
    const request = this.#request;
    const response = this.#response;
    const { socket } = request;
    const stays = response.shouldKeepAlive && !this.#door.draining && this.head.httpMinor > 0;
    if (stays) this.#writeEnd();
    else if (this.#out === '') response.flushHeaders();
    else this.#writeNow();
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
        // The front door's own `destroySoon` would go on reading.
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

  /** Leaves a complete answer alone: the client has it, or is still receiving it. */
  reset(): void {
    if (!this.#ended) cut(this.#request.socket);
  }

  destroy(): void {
    this.#request.socket.destroy();
  }
}

/** Reads the head of a `node:http` request; `receivedAt` is on the exchange's clock, in milliseconds. */
export function requestHead(request: IncomingMessage, id: string, receivedAt: number): RequestHead {
  const block = blockOf(request.rawHeaders);
  const fields = readRequestFields(block);
  const authority = authorityOf(request);
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    block,
    fields: {
      ...fields,
      ...(authority === undefined ? {} : { host: authority }),
      ...(request.httpVersionMajor === 1 ? {} : { fault: OTHER_VERSION }),
    },
    httpMinor: request.httpVersionMinor,
    remoteAddress: plainAddress(request.socket.remoteAddress ?? ''),
    certificateName: certificateName(request.socket),
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
