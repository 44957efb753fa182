import type { Socket } from 'node:net';
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

/**
 * Stands between a connection and Node's parser, which Node has read past the stream otherwise.
 *
 * The parser makes objects of all requests of a piece at once, though only one is begun: thousands of requests fit
 * into 64 KiB, and take 12 MB. Here it gets one at a time, and nothing more while the connection is stopped; and what
 * it would take for HTTP although it is not is told it as something else (`RequestPlaces`).
 *
 * Past the stream, Node loses its place where a connection is stopped and read on (Node.js 24): bytes that wait in the
 * stream are overtaken, or nothing is read ever again.
 */
export function readInSlices(socket: Socket): void {
  const [own] = socket.listeners('data');
  if (own === undefined) return;
  const execute = own as Execute;
  const place = new RequestPlaces();
  places.set(socket, place);
  const take = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; ) {
      // By CONNECT, or by a fault, the connection has become somebody else's.
      if (!isServed(socket) || socket.destroyed || !socket.listeners('data').includes(take)) return;
      // After each request Node has the connection read on, whoever stopped it.
      if (socket.isPaused() || isFull(socket) || isStoppedByNode(socket)) {
        socket.pause();
        socket.unshift(chunk.subarray(at));
        return;
      }
      const to = place.next(chunk, at);
      if (to > at) execute.call(socket, chunk.subarray(at, to));
      if (place.refused) {
        execute.call(socket, NOT_HTTP);
        return;
      }
      place.read(to - at, incomingOf(socket));
      at = to;
    }
  };
  socket.off('data', execute);
  socket.on('data', take);
  // Node ends a connection behind its last answer with this, whatever still comes.
  socket.destroySoon = () => endInOrder(socket);
}
