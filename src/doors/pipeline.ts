import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { cut } from './last-word.ts';

/** So many requests of one connection may wait for their turn. */
const MOST_WAITING = 100;
/** How often those that wait are looked at, in milliseconds. */
const LOOK_MS = 500;

/** The requests of a connection that came before their turn. */
interface Line {
  readonly requests: Set<IncomingMessage>;
  readonly timer: NodeJS.Timeout;
}

const lines = new WeakMap<Socket, Line>();

/**
 * Keeps what is pipelined within bounds. Node makes objects of all of it, though nothing of it is begun; and where the
 * body of one that waits fills its buffer Node stops reading, after which nobody notices that the client has left. A
 * connection that asks for more is cut, with the request that is under way on it.
 */
export function holdInLine(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const line = lines.get(socket) ?? begin(socket);
  if (line.requests.size >= MOST_WAITING) {
    cut(socket);
    return;
  }
  line.requests.add(request);
  response.once('socket', () => {
    line.requests.delete(request);
    if (line.requests.size === 0) end(socket, line);
  });
}

function begin(socket: Socket): Line {
  const requests = new Set<IncomingMessage>();
  const timer = setInterval(() => {
    for (const request of requests) if (isFull(request)) cut(socket);
  }, LOOK_MS);
  const line = { requests, timer };
  lines.set(socket, line);
  socket.once('close', () => end(socket, line));
  return line;
}

function end(socket: Socket, line: Line): void {
  clearInterval(line.timer);
  if (lines.get(socket) === line) lines.delete(socket);
}

function isFull(request: IncomingMessage): boolean {
  return !request.complete && request.readableLength >= request.readableHighWaterMark;
}
