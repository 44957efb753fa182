import type { Socket } from 'node:net';
import type { Client } from 'node-zookeeper-client';
import type { ServerAddress } from '../../net/connect-string.ts';

/** States of node-zookeeper-client's connection manager (`lib/ConnectionManager.js`). */
export const STATE = {
  DISCONNECTED: 0,
  CONNECTING: 1,
  CONNECTED: 2,
  CLOSED: -2,
  SESSION_EXPIRED: -3,
  AUTHENTICATION_FAILED: -4,
} as const;

/** A request queued in the library. Only a caller's request has a callback. */
interface Packet {
  readonly callback?: unknown;
  readonly request: { readonly header: { readonly type: number } | null };
}

/**
 * The internals of node-zookeeper-client 1.1.3 that the guard uses; the package is pinned to this version. Only
 * `connection.ts` uses them.
 */
export interface ConnectionManager {
  servers: readonly ServerAddress[];
  socket: Socket | undefined;
  xid: number;
  readonly state: number;
  readonly sessionTimeout: number;
  readonly sessionId: Buffer;
  /** Packets not yet written, and packets written but not answered. */
  readonly packetQueue: { readonly queue: Packet[] };
  readonly pendingQueue: Packet[];
  readonly watcherManager: {
    getDataWatcherPaths(): string[];
    getChildWatcherPaths(): string[];
    getExistenceWatcherPaths(): string[];
  };
  setState(state: number): void;
  connect(): void;
  close(): void;
  onSocketConnected(): void;
  onSocketData(packet: Buffer): void;
  onSocketDrain(): void;
  /** Sends a ping if nothing was sent for a third of the session timeout. */
  onSocketTimeout(): void;
  onSocketClosed(hadError: boolean): void;
}

/** Returns the internals of a client. */
export function connectionManagerOf(client: Client): ConnectionManager {
  return (client as unknown as { connectionManager: ConnectionManager }).connectionManager;
}
