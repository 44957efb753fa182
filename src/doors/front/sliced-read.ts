import type { Server, Socket } from 'node:net';
import { contain } from '../../faults/internal-errors.ts';
import { endInOrder, incomingOf, isServed, isStoppedByNode } from '../last-word.ts';
import { isFull } from './pipeline.ts';
import { RequestPlaces } from './request-places.ts';

type Execute = (chunk: Buffer) => void;

/** What Node's parser takes for no HTTP wherever a request line may be. */
const NOT_HTTP = Buffer.of(0);

const places = new WeakMap<Socket, RequestPlaces>();

/** Whether nothing of a request has come since the last one; so far as the front door has read. */
export function isBetweenRequests(socket: Socket): boolean {
  return places.get(socket)?.betweenRequests ?? false;
}

/** As much of Node's parser as this relies on. It says how much it has read, or what is wrong with that. */
interface Parser {
  execute(chunk: Buffer): unknown;
}

/** What `execute` said last, of any parser. */
let said: unknown;

/** Parsers serve one connection after the other, so that this may belong to none. */
function tellingExecute(this: Parser, chunk: Buffer): unknown {
  said = (Object.getPrototypeOf(this) as Parser).execute.call(this, chunk);
  return said;
}

/**
 * Stands between a connection and Node's parser, which Node has read past the stream otherwise.
 *
 * The parser makes objects of all requests of a piece at once, though only one is begun: thousands of requests fit
 * into 64 KiB, and take 12 MB. Here it gets one at a time, and nothing more while the connection is stopped; and what
 * it would take for HTTP although it is not is told it as something else (`RequestPlaces`).
 *
 * Past the stream, Node loses its place where a connection is stopped and read on (Node.js 24): bytes that wait in the
 * stream are overtaken, or nothing is read ever again.
 *
 * Behind a request that asks for an upgrade the parser stops. Where nobody upgrades, Node goes on, but drops the rest
 * of the piece: requests, or the head of one whose body it then takes for requests. From such a head to the next one it
 * also drops the parser's errors. How far the parser has got tells both: the rest is given to it, and if it gets
 * nowhere in that, what came is not HTTP.
 *
 * Requests begin in the middle of all this: what that throws, from `node:http` to Fastify's hooks, is given to
 * `onError`.
 */
export function readInSlices(socket: Socket, onError: (error: unknown) => void): void {
  const [own] = socket.listeners('data');
  if (own === undefined) return;
  const execute = own as Execute;
  const place = new RequestPlaces();
  places.set(socket, place);
  const { parser } = socket as { parser?: Parser | null };
  if (parser) parser.execute = tellingExecute;
  /** By CONNECT, or by a fault, the connection may have become somebody else's. */
  const isOurs = (): boolean =>
    isServed(socket) && !socket.destroyed && socket.listeners('data').includes(onData);
  /** Has the parser read a piece, and says how much of it that was. */
  const read = (piece: Buffer): number => {
    said = piece.length;
    execute.call(socket, piece);
    if (typeof said !== 'number' || said === piece.length || !isServed(socket)) return piece.length;
    if (said > 0 && said < piece.length) return said;
    // It is stuck there.
    (socket as unknown as { server: Server }).server.emit('clientError', new Error('not HTTP/1.1'), socket);
    return piece.length;
  };
  const take = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; ) {
      if (!isOurs()) return;
      // After each request Node has the connection read on, whoever stopped it.
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
  };
  const onData = (chunk: Buffer): void => contain(() => take(chunk), onError);
  socket.off('data', execute);
  socket.on('data', onData);
  // Node ends a connection behind its last answer with this, whatever still comes.
  socket.destroySoon = () => endInOrder(socket);
}
