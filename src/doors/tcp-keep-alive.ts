import type { Socket } from 'node:net';

/** How a system asks whether the other side still knows a connection: the first time, and how often then, in ms. */
interface Probing {
  readonly quietMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

/** A client whose machine or network is gone is given up after 150 s; a break of a minute is survived. */
const USUAL: Probing = { quietMs: 60_000, intervalMs: 10_000, count: 9 };
/** A client that may have left: its system resets a connection that it no longer knows. */
const DOUBTED: Probing = { quietMs: 10_000, intervalMs: 1_000, count: 10 };

/**
 * Has the system notice a client that vanishes without a word, so that its query is cancelled. Call it for each
 * connection as it comes: Node.js gives a socket two more fields with this, and all the code that reads and writes
 * becomes slower once there are sockets with and without them.
 */
export function noticeVanishing(socket: Socket): void {
  probe(socket, USUAL);
}

/** Has the system ask soon whether the client still knows the connection. */
export function askOften(socket: Socket): void {
  probe(socket, DOUBTED);
}

/** Before 24.19 Node.js asks each second, ten times. */
function probe(socket: Socket, { quietMs, intervalMs, count }: Probing): void {
  socket.setKeepAlive(true, quietMs, intervalMs, count);
}
