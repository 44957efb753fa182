import { Socket, type SocketConstructorOpts } from 'node:net';

/** What all connections are read into, one after the other; what is kept of it is copied. */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

/** As much of Node's inside as this relies on. */
interface Inside {
  _handle: { reading: boolean; readStop(): void } | null;
  _server: unknown;
  server: unknown;
}

/**
 * The same connection as a socket that reads into the shared buffer, where Node would make one of 64 KiB for each
 * read. Node offers that for connections that it makes itself (`onread` of `net.connect`), not for accepted ones, so
 * that this takes the accepted socket apart: undocumented, and opt-in (`doors.sharedReadBuffer`). Once `handedOver`
 * says so, it is read as every other socket.
 */
export function readShared(
  socket: Socket,
  onData: (chunk: Buffer) => void,
  handedOver: () => boolean,
): Socket {
  const inside = socket as unknown as Inside;
  const handle = inside._handle;
  if (handle === null) return socket;
  handle.readStop();
  handle.reading = false;
  const again: Socket = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: SHARED,
      callback(length: number) {
        const chunk = Buffer.from(SHARED.subarray(0, length));
        if (handedOver()) return again.push(chunk);
        onData(chunk);
        return true;
      },
    },
  } as unknown as SocketConstructorOpts);
  // The server counts its connections by what their sockets say when they close.
  const taken = again as unknown as Inside;
  taken.server = inside.server;
  taken._server = inside._server;
  inside._handle = null;
  inside._server = null;
  again.once('close', () => socket.destroy());
  return again;
}
