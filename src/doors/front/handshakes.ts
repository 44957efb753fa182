import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';

/** The undocumented parts of Node that this file relies on. */
interface Inside {
  readonly _handle: { getpeername(into: object): number } | null;
}

/**
 * Ends connections whose TLS handshake fails or takes longer than `limitMs`. Nobody could read an answer: bytes
 * written to such a connection stay in it for ever. Node's own limit restarts with every byte received.
 *
 * Also ends connections whose encryption breaks later: by invalid bytes, an unannounced end, or too many
 * renegotiations. Node reports these and leaves the connection open.
 *
 * Also ends connections that clients reset before the last bytes of the handshake were written. Node does not report
 * those.
 */
export function endHandshakes(server: HttpServer, limitMs: number, errors: InternalErrors): void {
  /** Timers of unfinished handshakes, by both ends' addresses. */
  const late = new Map<string, NodeJS.Timeout>();
  const report = (error: unknown): void => errors.report('client', error);

  // By default `https` treats this as an ordinary client error, and answers it.
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
    // By then Node has also written what TLS sends in response to the bytes read.
    socket.once('end', () => setImmediate(() => contain(() => endIfLost(socket), report)));
  });
}

/**
 * Ends a connection that has been reset although Node reads an orderly end from it.
 *
 * Node does not treat writes by TLS itself, such as session tickets after a handshake, as anybody's write
 * (`TLSWrap::EncOut`, Node.js 24). It does not report an error of such a write, and the system reports a reset only
 * once, so the next read returns an end. To Node the write stays under way, so later writes neither finish nor fail.
 */
function endIfLost(socket: TLSSocket): void {
  const { _handle: handle } = socket as unknown as Inside;
  if (handle !== null && handle.getpeername({}) !== 0) socket.destroy();
}

/** Key shared by an encrypted connection and the one that carries it, and by no other open connection. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
