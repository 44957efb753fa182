import type { Server, Socket } from 'node:net';
import { contain } from '../../faults/internal-errors.ts';
import { freeChunk, hasOwnMemory } from '../../http/spent-chunk.ts';
import { endInOrder, incomingOf, isServed, isStoppedByNode } from '../last-word.ts';
import { isFull } from './pipeline.ts';
import { RequestPlaces } from './request-places.ts';

type Execute = (chunk: Buffer) => void;

/** A byte that Node's parser rejects wherever a request line may stand. */
const NOT_HTTP = Buffer.of(0);

const places = new WeakMap<Socket, RequestPlaces>();

/** Whether no octet of a request has come since the last request ended, as far as the front door has read. */
export function isBetweenRequests(socket: Socket): boolean {
  return places.get(socket)?.betweenRequests ?? false;
}

/** The part of Node's parser that this file relies on. `execute` returns how many bytes it has read, or an error. */
interface Parser {
  execute(chunk: Buffer): unknown;
}

/** The last result of `execute`, from any parser. */
let said: unknown;

/** Replaces a parser's `execute`. Parsers are reused between connections, so this may outlive ours. */
function tellingExecute(this: Parser, chunk: Buffer): unknown {
  said = (Object.getPrototypeOf(this) as Parser).execute.call(this, chunk);
  return said;
}

/**
 * Puts itself between a connection and Node's parser, which Node otherwise feeds directly, past the stream.
 *
 * The parser creates objects for all requests of a piece at once, though only one begins. Thousands of requests fit
 * into 64 KiB, and take 12 MB as objects. Here the parser gets one request at a time, and nothing while the
 * connection is paused. Bytes that it would wrongly accept as HTTP reach it as invalid bytes (`RequestPlaces`).
 *
 * If Node feeds its parser past the stream, it loses its place when a connection pauses and resumes (Node.js 24):
 * bytes waiting in the stream are overtaken, or nothing is read again.
 *
 * The parser stops after a request that asks for an upgrade. If nobody upgrades, Node continues but drops the rest of
 * the piece: requests, or the head of a request whose body it then parses as requests. From such a head to the next
 * one it also drops the parser's errors. The parser's position shows both cases: we feed it the rest, and if it makes
 * no progress there, the bytes are not HTTP.
 *
 * Requests begin inside this code. Errors thrown there, from `node:http` to Fastify's hooks, go to `onError`.
 */
export function readInSlices(socket: Socket, onError: (error: unknown) => void): void {
  const [own] = socket.listeners('data');
  if (own === undefined) return;
  const execute = own as Execute;
  const place = new RequestPlaces();
  places.set(socket, place);
  const { parser } = socket as { parser?: Parser | null };
  if (parser) parser.execute = tellingExecute;
  /** False once CONNECT or a fault has handed the connection to other code. */
  const isOurs = (): boolean =>
    isServed(socket) && !socket.destroyed && socket.listeners('data').includes(onData);
  /** Feeds a piece to the parser, and returns how many bytes of it are done. */
  const read = (piece: Buffer): number => {
    said = piece.length;
    execute.call(socket, piece);
    if (typeof said !== 'number' || said === piece.length || !isServed(socket)) return piece.length;
    if (said > 0 && said < piece.length) return said;
    // The parser makes no progress.
    (socket as unknown as { server: Server }).server.emit('clientError', new Error('not HTTP/1.1'), socket);
    return piece.length;
  };
  const take = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; ) {
      if (!isOurs()) return;
      // After each request Node resumes the connection, whoever paused it.
      if (socket.isPaused() || isFull(socket) || isStoppedByNode(socket)) {
        socket.pause();
        socket.unshift(chunk.subarray(at));
        return;
      }
      const to = place.next(chunk, at);
      for (let from = at; from < to && isOurs(); ) from += read(chunk.subarray(from, to));
      if (place.refused) {
        execute.call(socket, NOT_HTTP);
        return;
      }
      place.read(to - at, incomingOf(socket));
      at = to;
    }
    // Node's parser has copied what it keeps.
    if (isOurs() && hasOwnMemory(chunk) && socket.listenerCount('data') === 1) freeChunk(chunk);
  };
  const onData = (chunk: Buffer): void => contain(() => take(chunk), onError);
  socket.off('data', execute);
  socket.on('data', onData);
  // Node calls this to end a connection after its last answer, even while bytes still come.
  socket.destroySoon = () => endInOrder(socket);
}
