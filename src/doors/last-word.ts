import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** How long a client may take to read the last word, and to end its side of the connection. */
const LAST_WORD_MS = 1_000;

/** As much of Node's inside as this relies on: the answer whose turn it is, and the request that is being read. */
interface Inside {
  readonly _httpMessage?: ServerResponse | null;
  readonly parser?: { readonly incoming: IncomingMessage | null } | null;
}

/** Connections that have come to their end; more bytes make no other of it. */
const taken = new WeakSet<Socket>();
const responses = new WeakMap<IncomingMessage, ServerResponse>();
const lingering = new WeakMap<ServerResponse, () => void>();

/** Every request of `node:http` is to be made known: whether it has been answered decides what is said at the end. */
export function knowResponse(request: IncomingMessage, response: ServerResponse): void {
  responses.set(request, response);
}

/** The answer has been written whole, although `response` is not ended before `end` is called. */
export function knowWhole(response: ServerResponse, end: () => void): void {
  lingering.set(response, end);
}

/**
 * Takes a connection over for a last answer: behind those under way, or in place of one that has not begun. Then the
 * connection ends, with its client's help or after a second. A request whose body turns out to be unreadable after
 * its answer hears nothing more, since one that uses the connection next would take it for its own.
 */
export function sayLast(socket: Socket, text: string): void {
  if (taken.has(socket)) return;
  taken.add(socket);
  // An error without a listener would end the process.
  socket.on('error', ignore);
  const incoming = (socket as Inside).parser?.incoming ?? null;
  const unfinished = incoming === null || incoming.complete ? null : incoming;
  speakInTurn(socket, text, unfinished === null ? null : (responses.get(unfinished) ?? null));
}

/** The same for a connection that nobody else reads any more. */
export function sayLastAlone(socket: Socket, text: string): void {
  const waits = answerOf(socket) !== null;
  sayLast(socket, text);
  if (socket.destroyed) return;
  if (waits) {
    socket.once('end', () => socket.destroy());
    socket.on('drain', () => answerOf(socket)?.emit('drain'));
  }
  // What still comes is nobody's, but that the client leaves is to be noticed.
  socket.resume();
}

/** `mine`: the answer to the request that is at fault, which has not come whole. */
function speakInTurn(socket: Socket, text: string, mine: ServerResponse | null): void {
  const now = answerOf(socket);
  if (mine?.headersSent === true) endBehind(socket, mine);
  else if (now === null || now === mine) speak(socket, text);
  else now.once('close', () => speakInTurn(socket, text, mine));
}

/** Ends the connection behind an answer that has begun, if that is whole. */
function endBehind(socket: Socket, answer: ServerResponse): void {
  if (answer.writableEnded) {
    if (answer.writableFinished) endInOrder(socket);
    else answer.once('close', () => endInOrder(socket));
    return;
  }
  const end = lingering.get(answer);
  if (end !== undefined) end();
  else cut(socket);
}

/** Ends a connection whose answers have all been given. */
export function endInOrder(socket: Socket): void {
  speak(socket, '');
}

/**
 * Bytes that are left unread would have the connection reset, and the answer destroyed on its way (RFC 9112 9.6):
 * they are read until the client has seen the end.
 */
function speak(socket: Socket, text: string): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LAST_WORD_MS);
  socket.once('close', () => clearTimeout(timer));
  if (socket.writable) socket.end(text);
  socket.resume();
}

/** Cuts a connection so that the client cannot take what it got for a whole answer. */
export function cut(socket: unknown): void {
  if (!(socket instanceof Socket)) return;
  // libuv resets no connection whose end it is just sending (EINVAL), and Node then neither closes it nor says so.
  const ending = socket.writableEnded && socket.writableLength === 0;
  if ('encrypted' in socket || ending) socket.destroy();
  else socket.resetAndDestroy();
}

/** The answer whose turn it is on a connection of `node:http`; null where there is none, or another door has it. */
export function answerOf(socket: Socket): ServerResponse | null {
  return (socket as Inside)._httpMessage ?? null;
}

/**
 * Has Node's server read a connection as everybody does, by its stream. By itself it reads past the stream, and then
 * bytes that wait in there can be overtaken where the connection is stopped and read on in one turn (Node.js 24:
 * `resume` is emitted although the stream has been paused again, and `onSocketResume` reads). A listener for `data` is
 * what ends that.
 */
export function readByStream(socket: Socket): void {
  if (!socket.listeners('data').includes(ignore)) socket.on('data', ignore);
}

export function ignore(): void {}
