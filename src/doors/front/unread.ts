import type { ServerResponse } from 'node:http';
import { contain } from '../../faults/internal-errors.ts';
import type { DoorState } from '../door-state.ts';
import { cut } from '../last-word.ts';

const LOOK_MS = 1_000;

/**
 * Cuts the connection of a client that takes nothing of its answer for as long as the door waits for that. What that
 * throws goes to `onError`.
 */
export function cutUnread(
  response: ServerResponse,
  { sendTimeoutMs }: DoorState,
  onError: (error: unknown) => void,
): void {
  const { socket } = response;
  if (socket === null || sendTimeoutMs === 0) return;
  let taken = 0;
  let since = performance.now();
  const look = (): void => {
    const now = performance.now();
    const takenNow = socket.bytesWritten - socket.writableLength;
    if (response.writableLength === 0 || takenNow !== taken) {
      taken = takenNow;
      since = now;
    } else if (now - since > sendTimeoutMs) cut(socket);
  };
  const timer = setInterval(() => contain(look, onError), Math.min(LOOK_MS, sendTimeoutMs));
  response.once('close', () => clearInterval(timer));
}
