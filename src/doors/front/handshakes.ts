import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** As much of Node's inside as this relies on. */
interface Inside {
  readonly _handle: { getpeername(into: object): number } | null;
}

/**
 * Ends connections whose TLS handshake fails or takes longer than it may. There is nobody to answer: what is written
 * to such a connection stays in it for ever. Node's own limit begins anew with every byte that comes.
 *
 * The same holds for one whose encryption breaks later, by bytes that are none, an end that was not announced, or too
 * many renegotiations: Node tells so, and leaves it open.
 *
 * Also ends those whose clients reset them before the last of the handshake was written, of which Node says nothing.
 */
export function endHandshakes(server: HttpServer, limitMs: number, errors: InternalErrors): void {
  /** Of connections whose handshake is not done, by both ends' addresses. */
  const late = new Map<string, NodeJS.Timeout>();
  const report = (error: unknown): void => errors.report('client', error);

  // By default `https` takes it for a client's error like any other, which gets an answer.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (_: Error, socket: TLSSocket) => contain(() => socket.destroy(), report));
  server.prependListener('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    const timer = setTimeout(() => contain(() => socket.destroy(), report), limitMs);
    late.set(ends, timer);
    socket.once('close', () => {
      clearTimeout(timer);
      if (late.get(ends) === timer) late.delete(ends);
    });
  });
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    clearTimeout(late.get(endsOf(socket)));
    socket.on('error', () => contain(() => socket.destroy(), report));
    // By then Node has also written what it writes for TLS behind what it has read.
    socket.once('end', () => setImmediate(() => contain(() => endIfLost(socket), report)));
  });
}

/**
 * Ends a connection that has been reset although Node reads an orderly end of it.
 *
 * What TLS writes for itself, such as the tickets behind a handshake, is no write of anybody's to Node
 * (`TLSWrap::EncOut`, Node.js 24). An error of such a write is told to nobody, and the system tells of a reset only once:
 * what is read next is an end. To Node the write stays under way, so that those behind it neither finish nor fail.
 */
function endIfLost(socket: TLSSocket): void {
  const { _handle: handle } = socket as unknown as Inside;
  if (handle !== null && handle.getpeername({}) !== 0) socket.destroy();
}

/** What an encrypted connection has in common with the one that it goes over, and with no other one that is open. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
