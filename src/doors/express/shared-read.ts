import { Socket, type SocketConstructorOpts } from 'node:net';
import { noticeVanishing } from '../tcp-keep-alive.ts';

/** The buffer that all connections are read into, one after the other. Who keeps any of it has to copy that. */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

/** The undocumented parts of Node that this file relies on. */
interface Inside {
  _handle: { reading: boolean; readStop(): void } | null;
  _server: unknown;
  server: unknown;
}

/**
 * Returns the same connection as a socket that reads into the shared buffer; Node would allocate 64 KiB for each
 * read. Node offers this only for connections it opens itself (`onread` of `net.connect`), so the accepted socket is
 * taken apart. This is undocumented and opt-in (`doors.sharedReadBuffer`). Once `handedOver` returns true, the socket
 * is read like any other. A socket without a handle is returned as it is. `onData` is told how much of the buffer has been
 * read.
 */
export function readShared(
  socket: Socket,
  onData: (buffer: Buffer, length: number) => void,
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
        if (handedOver()) return again.push(Buffer.from(SHARED.subarray(0, length)));
        onData(SHARED, length);
        return true;
      },
    },
  } as unknown as SocketConstructorOpts);
  // The server counts its connections through these fields when sockets close.
  const taken = again as unknown as Inside;
  taken.server = inside.server;
  taken._server = inside._server;
  inside._handle = null;
  inside._server = null;
  // The connection has it already, and this socket gets the fields that go with it.
  noticeVanishing(again);
  again.once('close', () => socket.destroy());
  return again;
}
