import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { LINGER_BYTES } from './door-state.ts';
import { takenBytes } from './taken-bytes.ts';

/** A client whose connection ends has so long, in milliseconds, for each further byte in either direction. */
const QUIET_MS = 1_000;
/** The same while the end of an answer has not been taken from us. */
const UNTAKEN_MS = 30_000;
/** Timers may be a little early. */
const SLACK_MS = 20;
/** And so long in all, from when everything has been taken. */
const LONGEST_MS = 30_000;

/**
 * As much of Node's inside as the doors rely on: the answer whose turn it is, and the parser with the request that is
 * being read; null once the server has nothing to do with the connection any more.
 */
interface Inside {
  readonly _httpMessage?: ServerResponse | null;
  readonly parser?: { readonly incoming: IncomingMessage | null } | null;
  readonly _paused?: boolean;
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
 * connection ends, with its client's help or once nothing moves any more. A request whose body turns out to be unreadable after
 * its answer hears nothing more, since one that uses the connection next would take it for its own. Whoever asked with
 * HEAD, here by `toHead` where Node's server does not know of it, gets the head alone (RFC 9110 9.3.2).
 */
export function sayLast(socket: Socket, text: string, toHead = false): void {
  if (taken.has(socket)) return;
  taken.add(socket);
  // An error without a listener would end the process.
  socket.on('error', ignore);
  const incoming = incomingOf(socket);
  const unfinished = incoming === null || incoming.complete ? null : incoming;
  const said = toHead || unfinished?.method === 'HEAD' ? text.slice(0, text.indexOf('\r\n\r\n') + 4) : text;
  speakInTurn(socket, said, unfinished === null ? null : (responses.get(unfinished) ?? null));
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
}

/** `mine`: the answer to the request that is at fault, which has not come whole. */
function speakInTurn(socket: Socket, text: string, mine: ServerResponse | null): void {
  const now = answerOf(socket);
  if (mine?.headersSent === true) endBehind(socket, mine);
  else if (now === null || now === mine) speak(socket, text);
  else {
    now.once('close', () => speakInTurn(socket, text, mine));
    // What still comes is nobody's, but that the client leaves is to be noticed.
    discard(socket, () => socket.pause());
  }
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
 * Bytes that are left unread, or that come when nobody reads any more, would have the connection reset, and the answer
 * destroyed on its way (RFC 9112 9.6): they are read until the client has seen the end, within bounds.
 */
function speak(socket: Socket, text: string): void {
  if (socket.destroyed) return;
  if (socket.writable) socket.end(text);
  const moved = (): number => socket.bytesRead + takenBytes(socket);
  const began = performance.now();
  let before = moved();
  let since = began;
  const timer = setInterval(() => {
    const now = performance.now();
    const next = moved();
    if (next !== before) {
      before = next;
      since = now;
    }
    const taken = socket.writableLength === 0;
    if (now - since >= (taken ? QUIET_MS : UNTAKEN_MS) - SLACK_MS || (taken && now - began > LONGEST_MS)) {
      socket.destroy();
    }
  }, QUIET_MS);
  socket.once('close', () => clearInterval(timer));
  discard(socket, () => socket.destroy());
}

/** Reads what still comes and keeps nothing of it; `onTooMuch` is called when it is more than a client may send. */
export function discard(socket: Socket, onTooMuch: () => void): void {
  let left = LINGER_BYTES;
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) onTooMuch();
  });
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

/** Whether Node's server still reads requests from a connection. */
export function isServed(socket: Socket): boolean {
  return ((socket as Inside).parser ?? null) !== null;
}

/** The request that Node's server has begun to read last; null before the first. */
export function incomingOf(socket: Socket): IncomingMessage | null {
  return (socket as Inside).parser?.incoming ?? null;
}

/** Whether Node's server has stopped a connection whose answers are not taken; it reads on by itself. */
export function isStoppedByNode(socket: Socket): boolean {
  return (socket as Inside)._paused === true;
}

export function ignore(): void {}
