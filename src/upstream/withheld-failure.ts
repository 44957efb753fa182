import type net from 'node:net';

type Done = (error?: Error | null) => void;

export interface WithheldFailureOptions {
  readonly quietMs: number;
  readonly isPaused: () => boolean;
}

/**
 * Keeps a socket readable after a write to it has failed. A node may answer before it has read the whole request, with
 * 401 or 413 for example, and close its side. Our next write then fails, and Node ends the socket at once, although the
 * system still holds the answer. This withholds the failure until nothing has come for `quietMs` milliseconds, time in
 * which reading is paused not counted. Meanwhile the system hands over what it has received, and then the end, which
 * ends the socket as usual.
 *
 * It replaces `_write` and `_writev`, which implement a stream. A stream has one write under way at a time and waits
 * for its callback, so nothing more is written meanwhile.
 */
export class WithheldFailure {
  readonly #socket: net.Socket;
  readonly #quietMs: number;
  readonly #isPaused: () => boolean;
  /** The callback of the write under way. */
  #done: Done = () => {};
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: net.Socket, { quietMs, isPaused }: WithheldFailureOptions) {
    this.#socket = socket;
    this.#quietMs = quietMs;
    this.#isPaused = isPaused;
    const { _write, _writev } = socket;
    const written: Done = (error) => this.#written(error);
    socket._write = (chunk, encoding, done) => {
      this.#done = done;
      _write.call(socket, chunk, encoding, written);
    };
    socket._writev = (chunks, done) => {
      this.#done = done;
      _writev?.call(socket, chunks, written);
    };
  }

  /** Bytes have come. */
  touch(): void {
    this.#timer?.refresh();
  }

  /** The socket has ended. */
  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #written(error?: Error | null): void {
    const done = this.#done;
    if (!error || this.#socket.destroyed) done(error);
    else this.#timer = setTimeout(() => this.#fail(error), this.#quietMs).unref();
  }

  #fail(error: Error): void {
    if (this.#isPaused()) this.#timer?.refresh();
    else this.#done(error);
  }
}
