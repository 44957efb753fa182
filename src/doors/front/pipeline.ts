import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { contain } from '../../faults/internal-errors.ts';
import { AHEAD_MS } from '../door-state.ts';
import { answerOf, cut, discard, endInOrder, isStoppedByNode } from '../last-word.ts';

/** So many requests of one connection may wait for their turn before it is read on. */
const MOST_WAITING = 100;
/** How often those that wait are looked at, in milliseconds. */
const LOOK_MS = 500;

/** What `begin` or a timer throws is given to `onError`. */
export interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly begin: () => void;
  readonly onError: (error: unknown) => void;
}

const pipelines = new WeakMap<Socket, Pipeline>();

/** Begins a pipelined request once those before it have been answered. */
export function waitForTurn(turn: Turn): void {
  const { socket } = turn.request;
  let pipeline = pipelines.get(socket);
  if (pipeline === undefined) {
    pipeline = new Pipeline(socket, turn.onError);
    pipelines.set(socket, pipeline);
  }
  pipeline.add(turn);
}

/** Whether as many requests of a connection wait as may. */
export function isFull(socket: Socket): boolean {
  return pipelines.get(socket)?.full ?? false;
}

/**
 * The requests of one connection that have come before their turn. Node makes objects of all that it reads, though
 * nothing of it is begun; so beyond a bound the connection is not read, and then nobody would notice that the client
 * leaves. That ends after `AHEAD_MS`: the answer under way is the last one then, and what comes behind it is dropped.
 */
class Pipeline {
  readonly #socket: Socket;
  readonly #waiting = new Set<IncomingMessage>();
  readonly #timer: NodeJS.Timeout;
  /** Since when more has come than is kept, or those that wait have got on. */
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
    // Node has made an object of it before it was known that nothing more is begun.
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
    // What Node itself has stopped it reads on by itself.
    else if (this.#waiting.size === MOST_WAITING - 1 && !isStoppedByNode(this.#socket)) {
      this.#socket.resume();
    }
    begin();
  }

  /** Node itself reads on after an answer. */
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

  /** The answer under way is the last one. */
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
