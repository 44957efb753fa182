import type { Socket } from 'node:net';

/** The undocumented parts of Node's handles that this file relies on. */
interface Handle {
  /** Bytes given to the handle, and how many of them the system has not taken yet. */
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
  /** TLS: the connection underneath. */
  readonly _parent?: Handle | null;
}

/**
 * Returns how many bytes of a connection the system has taken; encrypted bytes if it is encrypted. Node's
 * `bytesWritten` counts a write when it begins, and `writableLength` counts it until all of it has gone.
 */
export function takenBytes(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle;
  const wire = handle?._parent ?? handle;
  return (wire?.bytesWritten ?? 0) - (wire?.writeQueueSize ?? 0);
}
