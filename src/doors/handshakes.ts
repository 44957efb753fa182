import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { contain, type InternalErrors } from '../internal-errors.ts';

/**
 * Ends connections whose TLS handshake fails or takes longer than it may. There is nobody to answer: what is written
 * to such a connection stays in it for ever. Node's own limit begins anew with every byte that comes.
 */
export function endHandshakes(server: HttpServer, limitMs: number, errors: InternalErrors): void {
  const late = new WeakMap<Socket, NodeJS.Timeout>();
  const report = (error: unknown): void => errors.report('client', error);

  function done(socket: Socket | undefined): void {
    if (socket !== undefined) clearTimeout(late.get(socket));
  }

  // By default `https` takes it for a client's error like any other, which gets an answer.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (_: Error, socket: TLSSocket) => contain(() => socket.destroy(), report));
  server.prependListener('connection', (socket: Socket) => {
    late.set(
      socket,
      setTimeout(() => contain(() => socket.destroy(), report), limitMs),
    );
    socket.once('close', () => done(socket));
  });
  server.prependListener('secureConnection', (socket: TLSSocket) => done(parentOf(socket)));
}

/** The connection that an encrypted one goes over; Node does not document where it keeps it. */
function parentOf(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent;
}
