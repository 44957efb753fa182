import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions, Server as TlsServer } from 'node:tls';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { Crowd, type Member, OUTSIDE } from '../../collections/crowd.ts';
import { errorBody, type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import { requestFault } from '../../exchange/forwarded-head.ts';
import type { ClientSide } from '../../exchange/ports/client.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { type ConsoleOptions, registerConsole } from '../console/console.ts';
import type { DoorState } from '../door-state.ts';
import { openExpressDoor } from '../express/express-door.ts';
import { watchHalfClosed } from '../half-closed.ts';
import { answerOf, ignore, knowResponse } from '../last-word.ts';
import { NO_SCHEMAS } from '../no-schemas.ts';
import { answerClientError, answerConnect, malformed } from '../raw-errors.ts';
import { createRequestIds } from '../request-id.ts';
import { SlowReaders } from '../slow-readers.ts';
import { noticeVanishing } from '../tcp-keep-alive.ts';
import { takeAbsoluteForm } from './absolute-form.ts';
import { HalfClosedMessage } from './half-closed-message.ts';
import { endHandshakes } from './handshakes.ts';
import { NodeClient, requestHead } from './node-client.ts';
import { waitForTurn } from './pipeline.ts';
import { readInSlices } from './sliced-read.ts';

/** Limits on clients. */
export interface DoorLimits {
  /** Largest request head, in bytes. */
  readonly maxHeaderBytes: number;
  /** Most header fields in a head. */
  readonly maxHeaders: number;
  /** Time to receive a head, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** Time to receive a whole request with its body, in milliseconds; 0 for no limit. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept, in milliseconds; longer than the idle time of a load balancer in front. */
  readonly keepAliveTimeoutMs: number;
  /** How long a client with unread data may read nothing, in milliseconds; 0 for no limit. */
  readonly sendTimeoutMs: number;
  /** How long a half-closed client that cannot be probed counts as present, in milliseconds. */
  readonly halfCloseGraceMs: number;
  /** Most connections; further ones are closed at once. 0 for no limit. */
  readonly maxConnections: number;
}

export interface FrontDoorOptions {
  /** Answers a request; false leaves it to the console's routes. */
  readonly handle: (client: ClientSide) => boolean;
  /** Read plain requests from the socket itself. This affects speed only. */
  readonly express: boolean;
  /** With `express`: read accepted connections in a way that Node does not document. */
  readonly sharedReadBuffer?: boolean;
  readonly logger: FastifyBaseLogger;
  readonly limits: DoorLimits;
  /** Certificate and key; absent means plain HTTP. */
  readonly tls?: SecureContextOptions;
  readonly console: ConsoleOptions;
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
  /** The exchange's clock. */
  readonly now: () => number;
}

export interface FrontDoor {
  readonly app: FastifyInstance;
  /** Listens, and resolves to the bound address. Rejects with the system's error. */
  listen(host: string, port: number): Promise<AddressInfo>;
  /**
   * Shows this certificate to clients that connect from now on; present connections go on. Only for a door that was
   * created with TLS. Throws OpenSSL's error if the key does not fit.
   */
  setCertificate(tls: SecureContextOptions): void;
  /** From now on every answer asks its client to open a new connection, which may reach another gateway. */
  drain(): void;
  /**
   * Accepts no new connections, closes idle ones, and closes the others after their request, or after `deadlineMs`.
   */
  close(deadlineMs: number): Promise<void>;
}

const SWEEP_MS = 100;
const CHECK_MS = 1_000;

/**
 * Creates the front door: Fastify on `node:http`. One root hook hands every request to the exchange before Fastify
 * looks at its content type. Only requests for console pages go on to Fastify's routes.
 */
export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const { handle, now, errors } = options;
  const limits = inOrder(options.limits);
  const state: DoorState = {
    draining: false,
    slowReaders: new SlowReaders(limits.sendTimeoutMs, now, errors),
    halfCloseGraceMs: limits.halfCloseGraceMs,
  };
  const nextId = createRequestIds();
  const idOf = (request: IncomingMessage): string => nextId(request.headers['x-request-id']);

  function take(request: IncomingMessage, response: ServerResponse, id: string): boolean {
    if (request.rawHeaders.length > 2 * limits.maxHeaders) {
      answerAndClose(response, gatewayError('headers_too_large'), id);
      return true;
    }
    const client = new NodeClient(request, response, state, id, now(), errors);
    try {
      return handle(client);
    } catch (error) {
      client.failRequest(error);
      return true;
    } finally {
      // The client may have ended its side while this request waited for its turn.
      if (request.socket.readableEnded) outlive(request.socket);
    }
  }

  /** The client has ended its side. The request under way is still answered. */
  function outlive(socket: Socket): void {
    guarded(socket, () => {
      const response = answerOf(socket);
      if (response === null) return;
      watchHalfClosed(new HalfClosedMessage(response), limits.halfCloseGraceMs, (error) =>
        fail(socket, error),
      );
    });
  }

  /** Runs the door's own work for a connection. If that throws, it ends the connection and nothing else. */
  function guarded(socket: Socket, step: () => void): void {
    contain(step, (error) => fail(socket, error));
  }

  function fail(socket: Socket, error: unknown, id?: string): void {
    errors.report('client', error, id);
    socket.destroy();
  }

  /**
   * Begins a request in its turn. Node hands over pipelined requests as they come, but a read must not overtake the
   * write before it, so each waits until earlier ones have been answered. A request behind an answer that closed the
   * connection is dropped.
   */
  function inTurn({ raw, id }: FastifyRequest, response: ServerResponse, begin: () => void): void {
    const { socket } = response;
    const onError = (error: unknown): void => fail(raw.socket, error, id);
    if (socket === null) waitForTurn({ request: raw, response, begin, onError });
    else if (socket.writable) contain(begin, onError);
  }

  const app = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: idOf,
    // Nothing is logged by requests here: the exchange makes a record of each.
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionTimeout: 0,
    // A request on an open connection is still answered while the door closes.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    schemaController: NO_SCHEMAS,
    routerOptions: { maxParamLength: limits.maxHeaderBytes },
    clientErrorHandler: (error: Error, socket: Socket) =>
      guarded(socket, () => answerClientError(error, socket, nextId(undefined))),
    // Fastify's router cannot decode the target. The gateway's own path table decides on it.
    frameworkErrors: (_: Error, request: FastifyRequest, reply: FastifyReply) => {
      reply.hijack();
      inTurn(request, reply.raw, () => {
        if (take(request.raw, reply.raw, request.id)) return;
        answerAndClose(reply.raw, gatewayError('target_malformed'), request.id);
      });
    },
    ...serverOptions(limits, options.tls),
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;

  app.addHook('onRequest', (request, reply, done) => {
    inTurn(request, reply.raw, () => {
      if (take(request.raw, reply.raw, request.id)) reply.hijack();
      else done();
    });
  });
  registerConsole(
    app,
    { ...options.console, logger: options.logger, maxTargetLength: limits.maxHeaderBytes },
    state,
  );

  const { server } = app;
  // By default Node silently drops headers beyond a thousand.
  server.maxHeadersCount = 0;
  // By default Node ends a connection when its client ends its side. Node's types lack this property.
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
  server.prependListener('request', knowRequest);
  // After Node's own listener, and before the express door takes over the connection listeners.
  const accepted = options.tls === undefined ? 'connection' : 'secureConnection';
  server.on(accepted, (socket: Socket) => {
    readInSlices(socket, (error) => fail(socket, error));
    socket.once('end', () => outlive(socket));
  });
  const express = options.express
    ? openExpressDoor(server, {
        encrypted: options.tls !== undefined,
        state,
        handle,
        nextId,
        now,
        errors,
        sharedReadBuffer: options.sharedReadBuffer ?? false,
        ...limits,
      })
    : null;
  // Runs before all other listeners.
  server.prependListener(accepted, endNameless);
  if (options.tls !== undefined) endHandshakes(server, limits.headersTimeoutMs, errors);
  if (limits.maxConnections > 0) server.maxConnections = limits.maxConnections;
  const sockets = new Crowd<Member & { readonly socket: Socket }>();
  function keep(socket: Socket): void {
    const member = { place: OUTSIDE, socket };
    sockets.add(member);
    socket.once('close', () => sockets.delete(member));
  }
  server.on('connection', keep);
  // The express door may put another socket in the place of this one.
  server.prependListener('connection', noticeVanishing);
  // Node does not count a connection without a first byte as idle, because it awaits a head.
  function closeIdle(): void {
    server.closeIdleConnections();
    express?.closeIdle();
    for (const { socket } of sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  /** An error without a listener would end the process. The end of the connection is noticed elsewhere. */
  function knowRequest(request: IncomingMessage, response: ServerResponse): void {
    takeAbsoluteForm(request);
    request.on('error', ignore);
    response.on('error', ignore);
    knowResponse(request, response);
  }

  /** Finds the fault of a request that does not reach the exchange. */
  const faultOf = (request: IncomingMessage): string | null =>
    requestFault(requestHead(request, idOf(request), now()));

  const internal = (error: unknown): void => errors.report('client', error);

  // The exchange sends 100 Continue once it knows that it will read the body.
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    guarded(request.socket, () => {
      knowRequest(request, response);
      const fault = faultOf(request);
      const error = fault === null ? gatewayError('expectation_failed') : malformed(fault);
      answerAndClose(response, error, idOf(request));
    });
  });
  server.on('connect', (request: IncomingMessage, duplex) => {
    const socket = duplex as Socket;
    guarded(socket, () => {
      // The server no longer counts this connection as one of its own.
      keep(socket);
      answerConnect(socket, idOf(request), faultOf(request));
    });
  });

  return {
    app,
    async listen(host, port) {
      await app.listen({ host, port });
      // Reports connections that could not be accepted.
      server.on('error', internal);
      return server.address() as AddressInfo;
    },
    setCertificate(tls) {
      (server as unknown as TlsServer).setSecureContext(tls);
    },
    drain() {
      state.draining = true;
    },
    async close(deadlineMs) {
      state.draining = true;
      // Fastify sweeps once; a connection whose request ends later would stay until its keep-alive timeout.
      const sweep = setInterval(() => contain(closeIdle, internal), SWEEP_MS);
      const deadline = setTimeout(() => {
        contain(() => {
          express?.closeAll();
          server.closeAllConnections();
          for (const { socket } of sockets) socket.destroy();
        }, internal);
      }, deadlineMs);
      try {
        await app.close();
      } finally {
        clearInterval(sweep);
        clearTimeout(deadline);
      }
    },
  };
}

/**
 * Closes connections without a remote address: their clients have reset them already. No answer would arrive, and
 * limits, nodes and logs could not name the client.
 */
function endNameless(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
}

/** Answers a request that never reaches the exchange, and closes its connection. */
function answerAndClose(response: ServerResponse, error: GatewayError, id: string): void {
  response.writeHead(error.status, { 'content-type': 'application/json', connection: 'close' });
  response.end(errorBody(error, id));
}

/** Caps the head's limit at the request's limit. Node would swap the two if the request's were shorter. */
function inOrder(limits: DoorLimits): DoorLimits {
  const { headersTimeoutMs, requestTimeoutMs } = limits;
  if (requestTimeoutMs === 0 || requestTimeoutMs >= headersTimeoutMs) return limits;
  return { ...limits, headersTimeoutMs: requestTimeoutMs };
}

function serverOptions(limits: DoorLimits, tls: SecureContextOptions | undefined): object {
  const http = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    // How often Node looks for connections past their limits, in milliseconds; its default is 30 s.
    connectionsCheckingInterval: CHECK_MS,
    // The exchange refuses a missing Host, with the gateway's own message.
    requireHostHeader: false,
  };
  return tls === undefined
    ? { http }
    : {
        https: {
          ...http,
          ...tls,
          allowHalfOpen: true,
          // Node's default is two minutes, which may be less than the configured limit.
          handshakeTimeout: limits.headersTimeoutMs,
          // Without the older one, a client that offers only it would be turned away (RFC 7301 3.2).
          ALPNProtocols: ['http/1.1', 'http/1.0'],
        },
      };
}
