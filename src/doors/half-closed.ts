import type { Socket } from 'node:net';
import { contain } from '../faults/internal-errors.ts';
import { takenBytes } from './taken-bytes.ts';

/** Whether its client is still there is looked at so soon, then in twice the time again, in milliseconds. */
const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 1_000;
/** Its system is asked this often, in milliseconds; once it knows nothing of the connection any more, it says so. */
const KEEP_ALIVE_MS = 10_000;

/** A whole request, being answered, whose client has said that it sends nothing more. */
export interface HalfClosedRequest {
  readonly socket: Socket;
  /** Its answer has been handed over whole, or nobody waits for it any more. */
  readonly over: boolean;
  /** It said itself that it is the last one. */
  readonly isLast: boolean;
  /** An interim answer may be sent: it is of HTTP/1.1, and its answer has not begun. */
  readonly mayBeAsked: boolean;
  /** Sends one. */
  ask(): void;
  /** Its client has left. */
  abandon(): void;
}

/**
 * Tells a client that waits for its answer from one that has left, which both end their side of the connection. One
 * that has left is reset by its system when anything is sent to it, which the next write shows; so one that may be
 * asked gets `100 Continue`, which means nothing to who waits. Where nothing can be sent, a request that did not say
 * that it is the last one counts as left alone after `graceMs` (docs/decisions/0021-half-closed-clients.md).
 */
export function watchHalfClosed(
  request: HalfClosedRequest,
  graceMs: number,
  onError: (error: unknown) => void,
): void {
  const { socket } = request;
  const asked = request.mayBeAsked;
  if (asked) request.ask();
  wireOf(socket).setKeepAlive(true, KEEP_ALIVE_MS);
  const before = takenBytes(socket);
  let pause = FIRST_LOOK_MS;
  let waited = 0;
  let timer = setTimeout(look, pause);
  socket.once('close', stop);

  function look(): void {
    waited += pause;
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    contain(() => {
      if (request.over || !socket.writable) {
        stop();
        return;
      }
      timer = setTimeout(look, pause);
      // Whoever has not taken what was sent is waited for elsewhere, and so is the error of a reset connection.
      if (socket.writableLength > 0) return;
      const silent = !asked && !request.isLast && takenBytes(socket) === before;
      if (silent && waited >= graceMs) request.abandon();
      // This shows whether the connection has been reset, which nobody hears who does not read.
      else wireOf(socket).write('');
    }, onError);
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off('close', stop);
  }
}

/** What an encrypted connection goes over: it would write nothing of nothing. */
function wireOf(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket | null })._parent ?? socket;
}
