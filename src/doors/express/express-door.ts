import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { Crowd } from '../../collections/crowd.ts';
import { ExpressConnection, type ExpressContext } from './express-connection.ts';

/** How often connections are checked against their time limits, in milliseconds. */
const SWEEP_MS = 200;

/** The express door: answers plain requests, read from the socket itself. */
export interface ExpressDoor {
  /** Closes connections without a request under way. */
  closeIdle(): void;
  closeAll(): void;
}

export interface ExpressOptions extends Omit<ExpressContext, 'handOver' | 'keepAlive' | 'onGone'> {
  /** HTTPS: connections arrive after their handshake. */
  readonly encrypted: boolean;
}

/**
 * Puts the express door in front of a `node:http` server. The door receives every new connection. Connections that it
 * hands over go to the listeners the server had before, so those must be registered by now.
 */
export function openExpressDoor(server: HttpServer, options: ExpressOptions): ExpressDoor {
  const event = options.encrypted ? 'secureConnection' : 'connection';
  const own = server.listeners(event);
  const connections = new Crowd<ExpressConnection>();
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
