import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { contain } from '../../faults/internal-errors.ts';
import { answerOf, cut, discard, endInOrder, isStoppedByNode } from '../last-word.ts';
import { AHEAD_MS } from '../read-limits.ts';

/** Once this many requests of one connection wait for their turn, reading it pauses. */
const MOST_WAITING = 100;
/** How often waiting requests are checked, in milliseconds. */
const LOOK_MS = 500;

/** A pipelined request. Errors thrown by `begin` or by a timer go to `onError`. */
export interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly begin: () => void;
  readonly onError: (error: unknown) => void;
}

const pipelines = new WeakMap<Socket, Pipeline>();

/** Begins a pipelined request once all earlier ones have been answered. */
export function waitForTurn(turn: Turn): void {
  const { socket } = turn.request;
  let pipeline = pipelines.get(socket);
  if (pipeline === undefined) {
    pipeline = new Pipeline(socket, turn.onError);
    pipelines.set(socket, pipeline);
  }
  pipeline.add(turn);
}

/** Whether the most requests allowed already wait on a connection. */
export function isFull(socket: Socket): boolean {
  return pipelines.get(socket)?.full ?? false;
}

/**
 * The requests of one connection that came before their turn. Node creates objects for all requests it reads, even
 * before they begin. So beyond a bound we stop reading the connection, and then would not notice that the client
 * leaves. After `AHEAD_MS` we read again: the answer under way becomes the last one, and later bytes are dropped.
 */
class Pipeline {
  readonly #socket: Socket;
  readonly #waiting = new Set<IncomingMessage>();
  readonly #timer: NodeJS.Timeout;
  /** When the bound was exceeded, or when a waiting request last began. */
  #since = performance.now();
  #over = false;

  constructor(socket: Socket, onError: (error: unknown) => void) {
    this.#socket = socket;
    this.#timer = setInterval(() => contain(() => this.#look(), onError), LOOK_MS);
    socket.on('resume', this.#hold);
    socket.once('close', this.#end);
  }

  get full(): boolean {
    return !this.#over && this.#waiting.size >= MOST_WAITING;
  }

  add({ request, response, begin, onError }: Turn): void {
    // Node created this request before it was known that no more would begin.
    if (this.#over) return;
    this.#waiting.add(request);
    this.#hold();
    response.once('socket', () => contain(() => this.#begin(request, begin), onError));
  }

  #begin(request: IncomingMessage, begin: () => void): void {
    if (this.#over) {
      endInOrder(this.#socket);
      return;
    }
    this.#since = performance.now();
    this.#waiting.delete(request);
    if (this.#waiting.size === 0) this.#end();
    // Node resumes by itself a connection that it has paused itself.
    else if (this.#waiting.size === MOST_WAITING - 1 && !isStoppedByNode(this.#socket)) {
      this.#socket.resume();
    }
    begin();
  }

  /** Node resumes reading after an answer; this pauses it again. */
  readonly #hold = (): void => {
    if (this.full) this.#socket.pause();
  };

  #look(): void {
    const full = this.full || [...this.#waiting].some(isBodyFull);
    const answer = answerOf(this.#socket);
    // A client that is slow to read has a limit of its own.
    if (!full || (answer !== null && answer.writableLength > 0)) this.#since = performance.now();
    else if (performance.now() - this.#since > AHEAD_MS) this.#stop(answer);
  }

  /** Makes the answer under way the last one; later bytes are dropped. */
  #stop(answer: ServerResponse | null): void {
    this.#over = true;
    clearInterval(this.#timer);
    if (answer !== null && !answer.headersSent) answer.shouldKeepAlive = false;
    discard(this.#socket, () => cut(this.#socket));
  }

  readonly #end = (): void => {
    clearInterval(this.#timer);
    this.#socket.off('resume', this.#hold);
    this.#socket.off('close', this.#end);
    pipelines.delete(this.#socket);
  };
}

function isBodyFull(request: IncomingMessage): boolean {
  return !request.complete && request.readableLength >= request.readableHighWaterMark;
}
