import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { ExpressConnection, type ExpressContext } from './express-connection.ts';

/** How often connections are looked at for what takes too long, in milliseconds. */
const SWEEP_MS = 200;

/** The express door: requests that are plain beyond doubt, read from the socket itself. */
export interface ExpressDoor {
  /** Ends connections on which nothing is asked. */
  closeIdle(): void;
  closeAll(): void;
}

export interface ExpressOptions extends Omit<ExpressContext, 'handOver' | 'keepAlive' | 'onGone'> {
  /** HTTPS: connections are ready after their handshake. */
  readonly encrypted: boolean;
}

/**
 * Puts the express door in front of a server of `node:http`: it gets every new connection, and the server those that
 * are handed over, by the listeners that it had itself.
 */
export function openExpressDoor(server: HttpServer, options: ExpressOptions): ExpressDoor {
  const event = options.encrypted ? 'secureConnection' : 'connection';
  const own = server.listeners(event);
  const connections = new Set<ExpressConnection>();
  const context: ExpressContext = {
    ...options,
    keepAlive: `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(options.keepAliveTimeoutMs / 1000)}\r\n`,
    handOver(socket) {
      for (const listener of own) Reflect.apply(listener, server, [socket]);
    },
    onGone: (connection) => void connections.delete(connection),
  };
  let timer: NodeJS.Timeout | null = null;
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => {
    try {
      if (socket.destroyed) return;
      connections.add(new ExpressConnection(socket, context));
      timer ??= setInterval(sweep, SWEEP_MS);
    } catch (error) {
      options.errors.report('client', error);
      socket.destroy();
    }
  });

  function sweep(): void {
    try {
      sweepAll(options.now());
    } catch (error) {
      options.errors.report('client', error);
    }
  }

  function sweepAll(now: number): void {
    for (const connection of connections) connection.sweep(now);
    if (connections.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    closeIdle() {
      for (const connection of connections) if (connection.idle) connection.destroy();
    },
    closeAll() {
      for (const connection of connections) connection.destroy();
    },
  };
}
