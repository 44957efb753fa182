import type { Socket } from 'node:net';
import { contain } from '../faults/internal-errors.ts';
import { takenBytes } from './taken-bytes.ts';
import { askOften } from './tcp-keep-alive.ts';

/**
 * Time until the first check for the client, in milliseconds; each further wait is twice as long, up to the longest.
 */
const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 1_000;

/** A complete request that is being answered, and whose client has ended its side. */
export interface HalfClosedRequest {
  readonly socket: Socket;
  /** The whole answer has been handed over, or nobody waits for it any more. */
  readonly over: boolean;
  /** The request itself says that it is the last one on its connection. */
  readonly isLast: boolean;
  /** An interim answer may be sent: the request is HTTP/1.1, and its answer has not begun. */
  readonly mayBeAsked: boolean;
  /** Sends an interim answer. */
  ask(): void;
  /** Gives the request up, because its client has left. */
  abandon(): void;
}

/** Ends the watch of a connection; each request of a pipeline begins one. */
const watches = new WeakMap<Socket, () => void>();

/**
 * Tells a client that waits for its answer from one that has left; both end their side of the connection. If the
 * client has left, its system resets the connection when anything is sent to it, and the next write shows the reset.
 * So a client that may be probed gets `100 Continue`, which a waiting client ignores. If nothing can be sent, the
 * client counts as gone after `graceMs` milliseconds, unless the request said that it is the last one
 * (docs/decisions/0021-half-closed-clients.md). Errors go to `onError`. Precondition: earlier requests of the connection
 * have been answered; they are watched no longer.
 */
export function watchHalfClosed(
  request: HalfClosedRequest,
  graceMs: number,
  onError: (error: unknown) => void,
): void {
  const { socket } = request;
  watches.get(socket)?.();
  const asked = request.mayBeAsked;
  if (asked) request.ask();
  askOften(wireOf(socket));
  const before = takenBytes(socket);
  let pause = FIRST_LOOK_MS;
  let waited = 0;
  let timer = setTimeout(look, pause);
  socket.once('close', stop);
  watches.set(socket, stop);

  function look(): void {
    waited += pause;
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    contain(() => {
      if (request.over || !socket.writable) {
        stop();
        return;
      }
      timer = setTimeout(look, pause);
      // Other code waits for a client that has not taken its data, and detects a reset of its connection.
      if (socket.writableLength > 0) return;
      const silent = !asked && !request.isLast && takenBytes(socket) === before;
      if (silent && waited >= graceMs) request.abandon();
      // An empty write shows whether the connection has been reset; without reading, nothing else does.
      else wireOf(socket).write('');
    }, onError);
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off('close', stop);
    watches.delete(socket);
  }
}

/** Returns the socket under an encrypted connection, because TLS writes nothing for an empty write. */
function wireOf(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket | null })._parent ?? socket;
}
