import net from 'node:net';
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import type { NodeTls } from '../cluster/node.ts';
import { Crowd } from '../collections/crowd.ts';
import type { Upstreams } from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { withoutBrackets } from '../net/host-port.ts';
import { Call } from './call.ts';
import { type ConnectionKeeper, type Endpoint, type QuietLimits, UpstreamConnection } from './connection.ts';
import { createReadBuffers } from './read-buffers.ts';
import { RequestOpening } from './request-opening.ts';

export interface UpstreamOptions extends QuietLimits {
  /** Largest answer head, in bytes; `X-Druid-Response-Context` alone may take 7 KiB. */
  readonly maxHeaderBytes: number;
  /**
   * CA, client certificate and the like for https origins. Certificates are verified unless these options turn that
   * off.
   */
  readonly tls?: NodeTls;
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
  /** Hears the codes of sockets' errors. */
  readonly onSocketError?: (origin: string, code: string) => void;
}

/** How often one timer checks the limits of all connections, in milliseconds. */
const TICK_MS = 50;

/**
 * Creates upstreams over plain sockets, with one set of connections per origin. A request takes the connection used
 * last, or a new one. Nothing queues here, because callers keep to `maxRequestsPerNode`.
 */
export function createUpstreams(options: UpstreamOptions): Upstreams {
  const { maxHeaderBytes, errors, onSocketError } = options;
  const origins = new Map<string, Origin>();
  const buffers = createReadBuffers();
  const all = new Crowd<UpstreamConnection>();
  let time = performance.now();
  let timer: NodeJS.Timeout | null = null;
  const clock = (): number => time;

  function tick(): void {
    time = performance.now();
    for (const connection of all) {
      try {
        look(connection);
      } catch (error) {
        connection.crash(error);
      }
    }
  }

  /** Ends a connection that has been quiet for longer than its limit. */
  function look(connection: UpstreamConnection): void {
    const overdue = connection.overdue(time);
    // A small write that the system takes at once emits no `drain`.
    if (overdue === null) connection.settle();
    else if (overdue === 'unused') connection.destroy();
    else connection.fail(overdue);
  }

  class Origin implements ConnectionKeeper {
    readonly opening: RequestOpening;
    readonly #place: Endpoint;
    readonly #onSocketError;
    readonly #idle: UpstreamConnection[] = [];
    #retired = false;

    constructor(origin: string, hostAndPort: string) {
      this.opening = new RequestOpening(hostAndPort);
      this.#place = placeOf(origin);
      this.#onSocketError = (code: string): void => onSocketError?.(origin, code);
    }

    /** A connection that is made goes to `address`, if there is one. */
    connection(fresh: boolean, address: string | null): UpstreamConnection {
      const idle = fresh ? undefined : this.#idle.pop();
      if (idle !== undefined) return idle;
      // The clock stands still without a timer.
      if (timer === null) time = performance.now();
      const connection = new UpstreamConnection({
        place: placeAt(this.#place, address, options.tls),
        maxHeadBytes: maxHeaderBytes,
        buffers,
        keeper: this,
        limits: options,
        clock,
        errors,
        onSocketError: this.#onSocketError,
      });
      timer ??= setInterval(tick, TICK_MS).unref();
      all.add(connection);
      return connection;
    }

    onIdle(connection: UpstreamConnection): void {
      if (this.#retired) connection.destroy();
      else this.#idle.push(connection);
    }

    onGone(connection: UpstreamConnection): void {
      all.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at !== -1) this.#idle.splice(at, 1);
      if (all.size > 0 || timer === null) return;
      clearInterval(timer);
      timer = null;
    }

    /** Ends idle connections now, and the others as they become idle. */
    retire(): void {
      this.#retired = true;
      for (const connection of this.#idle.splice(0)) connection.destroy();
    }
  }

  return {
    send(node, request, handler) {
      let origin = origins.get(node.origin);
      if (origin === undefined) {
        origin = new Origin(node.origin, node.hostAndPort);
        origins.set(node.origin, origin);
      }
      const connection = origin.connection(request.fresh, node.address);
      return new Call(node, origin.opening, request, handler, errors).sendOn(connection);
    },

    retain(known) {
      for (const [name, origin] of origins) {
        if (known.has(name)) continue;
        origins.delete(name);
        origin.retire();
      }
    },

    async close() {
      for (const origin of origins.values()) origin.retire();
      origins.clear();
      for (const connection of all) connection.fail('reset');
    },
  };
}

function placeOf(origin: string): Endpoint {
  const { protocol, hostname, port } = new URL(origin);
  const host = withoutBrackets(hostname);
  if (protocol === 'http:') return { host, port: Number(port || 80), tls: null };
  const options: TlsConnectionOptions = {
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
  };
  return { host, port: Number(port || 443), tls: options };
}

/** The place of a new connection: at this address if there is one, with the files of TLS as they were read last. */
function placeAt(place: Endpoint, address: string | null, nodeTls: NodeTls | undefined): Endpoint {
  const { host, port, tls } = place;
  if (tls === null && address === null) return place;
  return { host: address ?? host, port, tls: tls === null ? null : { ...tls, ...nodeTls } };
}
