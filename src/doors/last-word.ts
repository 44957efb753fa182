import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { LINGER_BYTES } from './read-limits.ts';

import { takenBytes } from './taken-bytes.ts';

/** Longest pause between two bytes, in either direction, on a connection that is ending, in milliseconds. */
const QUIET_MS = 1_000;
/** The same while the system has not taken the end of an answer from us. */
const UNTAKEN_MS = 30_000;
/** Timers may fire a little early, in milliseconds. */
const SLACK_MS = 20;
/** Longest time in all, in milliseconds, once the system has taken everything. */
const LONGEST_MS = 30_000;

/**
 * The undocumented parts of Node that the doors rely on: the answer whose turn it is, and the parser with the request
 * being read. The parser is null once the server has let go of the connection.
 */
interface Inside {
  readonly _httpMessage?: ServerResponse | null;
  readonly parser?: { readonly incoming: IncomingMessage | null } | null;
  readonly _paused?: boolean;
}

/** Connections that already have their last answer; more bytes change nothing. */
const taken = new WeakSet<Socket>();

/**
 * What is known of a request and its answer is kept in themselves. In a `WeakMap`, a collection of the young generation
 * takes every value for one in use, and an answer refers to its request, so all would live until the whole heap is marked.
 */
const RESPONSE = Symbol('response');
const END = Symbol('end');

interface Known extends IncomingMessage {
  [RESPONSE]?: ServerResponse;
}

interface Lingering extends ServerResponse {
  [END]?: () => void;
}

/**
 * Registers the answer to a request. Call it for every `node:http` request: the last answer on a connection depends
 * on whether the request has been answered.
 */
export function knowResponse(request: Known, response: ServerResponse): void {
  request[RESPONSE] = response;
}

/** Registers an answer as written whole, although `response` is not ended before `end` is called. */
export function knowWhole(response: Lingering, end: () => void): void {
  response[END] = end;
}

/**
 * Takes a connection over for a last answer: after the answers under way, or in place of one that has not begun. Then
 * the connection ends once its client closes it or nothing moves any more. A request whose body proves unreadable
 * after its answer gets no second answer, because the client would match that to its next request. The answer to HEAD
 * is the head alone (RFC 9110 9.3.2); `toHead` marks a HEAD request that Node's server does not know.
 */
export function sayLast(socket: Socket, text: string, toHead = false): void {
  if (taken.has(socket)) return;
  taken.add(socket);
  // An error without a listener would end the process.
  socket.on('error', ignore);
  const incoming = incomingOf(socket);
  const unfinished: Known | null = incoming === null || incoming.complete ? null : incoming;
  const said = toHead || unfinished?.method === 'HEAD' ? text.slice(0, text.indexOf('\r\n\r\n') + 4) : text;
  speakInTurn(socket, said, unfinished?.[RESPONSE] ?? null);
}

/** Like `sayLast`, for a connection that nobody else reads any more. */
export function sayLastAlone(socket: Socket, text: string): void {
  const waits = answerOf(socket) !== null;
  sayLast(socket, text);
  if (socket.destroyed) return;
  if (waits) {
    socket.once('end', () => socket.destroy());
    socket.on('drain', () => answerOf(socket)?.emit('drain'));
  }
}

/** `mine`: the answer to the faulty request, which has not come whole. */
function speakInTurn(socket: Socket, text: string, mine: ServerResponse | null): void {
  const now = answerOf(socket);
  if (mine?.headersSent === true) endBehind(socket, mine);
  else if (now === null || now === mine) speak(socket, text);
  else {
    now.once('close', () => speakInTurn(socket, text, mine));
    // Later bytes are dropped, but we read in order to notice that the client leaves.
    discard(socket, () => socket.pause());
  }
}

/** Ends the connection after an answer that has begun, or cuts it if the answer is not complete. */
function endBehind(socket: Socket, answer: Lingering): void {
  if (answer.writableEnded) {
    if (answer.writableFinished) endInOrder(socket);
    else answer.once('close', () => endInOrder(socket));
    return;
  }
  const end = answer[END];
  if (end !== undefined) end();
  else cut(socket);
}

/** Ends a connection whose answers have all been given, within the time and byte limits above. */
export function endInOrder(socket: Socket): void {
  speak(socket, '');
}

/**
 * Writes `text`, ends our side, and reads until the client has seen the end, within bounds. Bytes left unread, or
 * arriving when nobody reads, would reset the connection and destroy the answer on its way (RFC 9112 9.6).
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

/** Reads and drops further bytes; calls `onTooMuch` beyond `LINGER_BYTES`. */
export function discard(socket: Socket, onTooMuch: () => void): void {
  let left = LINGER_BYTES;
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) onTooMuch();
  });
  socket.resume();
}

/** Resets a connection, so the client cannot take a partial answer for a whole one. */
export function cut(socket: unknown): void {
  if (!(socket instanceof Socket)) return;
  // libuv cannot reset a connection while it sends the end (EINVAL); Node then neither closes the socket nor reports
  // it.
  const ending = socket.writableEnded && socket.writableLength === 0;
  if ('encrypted' in socket || ending) socket.destroy();
  else socket.resetAndDestroy();
}

/** Returns the answer whose turn it is on a `node:http` connection; null if there is none, or another door has it. */
export function answerOf(socket: Socket): ServerResponse | null {
  return (socket as Inside)._httpMessage ?? null;
}

/** Whether Node's server still reads requests from a connection. */
export function isServed(socket: Socket): boolean {
  return ((socket as Inside).parser ?? null) !== null;
}

/** Returns the request that Node's server began to read last; null before the first. */
export function incomingOf(socket: Socket): IncomingMessage | null {
  return (socket as Inside).parser?.incoming ?? null;
}

/** Whether Node's server has paused a connection whose answers are not taken; it resumes by itself. */
export function isStoppedByNode(socket: Socket): boolean {
  return (socket as Inside)._paused === true;
}

/** Listener for `error` events that are handled elsewhere. */
export function ignore(): void {}
