import { IncomingMessage } from 'node:http';
import { PackedBytes } from '../../http/packed-bytes.ts';

/** Who takes a body. */
export interface IntakeOwner {
  onData(chunk: Buffer): void;
  onEnd(): void;
}

/**
 * Reads the body of a request of `node:http`. Its parser makes a buffer of each chunk of the body, of which one read can
 * bring thousands: here what came in one turn is packed and handed on together. Node would also read on into a queue of
 * such buffers while nobody takes them; so the request is never stopped, but its connection is.
 */
export class BodyIntake {
  readonly #request: IncomingMessage;
  readonly #owner: IntakeOwner;
  #pending = new PackedBytes();
  #scheduled = false;
  #stopped = false;
  #ended = false;
  #told = false;

  /** Nothing is read before `resume`. */
  constructor(request: IncomingMessage, owner: IntakeOwner) {
    this.#request = request;
    this.#owner = owner;
    // This is how a request that flows has its connection read on.
    request._read = () => {
      if (!this.#stopped) this.#readOn();
    };
    this.pause();
    request.on('data', (chunk: Buffer) => {
      if (this.#told) return;
      this.#pending.push(chunk);
      this.#schedule();
    });
    request.on('end', () => {
      this.#ended = true;
      this.#schedule();
    });
  }

  pause(): void {
    if (this.#told) return;
    this.#stopped = true;
    if (!this.#request.complete) this.#request.socket.pause();
  }

  resume(): void {
    this.#stopped = false;
    this.#schedule();
    if (!this.#request.complete) this.#readOn();
  }

  /** Nobody wants the rest: it is read and dropped. */
  drop(): void {
    this.#told = true;
    this.#pending.clear();
    this.resume();
  }

  #readOn(): void {
    IncomingMessage.prototype._read.call(this.#request, 0);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#handOn();
    });
  }

  #handOn(): void {
    const pending = this.#pending;
    if (!this.#stopped && pending.length > 0) {
      this.#pending = new PackedBytes();
      for (const piece of pending.pieces()) {
        if (this.#told) return;
        if (this.#stopped) this.#pending.push(piece);
        else this.#owner.onData(piece);
      }
    }
    // Nothing stands before the end.
    if (!this.#ended || this.#told || this.#pending.length > 0) return;
    this.#told = true;
    this.#owner.onEnd();
  }
}
