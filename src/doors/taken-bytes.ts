import type { Socket } from 'node:net';

/** As much of a handle of Node's as this relies on. */
interface Handle {
  /** All that it was given, and how much of that the system has not taken yet. */
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
  /** TLS: the connection underneath. */
  readonly _parent?: Handle | null;
}

/**
 * How many bytes of a connection the system has taken, encrypted ones where it is encrypted. Node's `bytesWritten`
 * counts a write as soon as it begins, and `writableLength` until all of it has gone.
 */
export function takenBytes(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle;
  const wire = handle?._parent ?? handle;
  return (wire?.bytesWritten ?? 0) - (wire?.writeQueueSize ?? 0);
}
