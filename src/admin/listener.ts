import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { type FastifyInstance, fastify } from 'fastify';
import { endHandshakes } from '../doors/front/handshakes.ts';
import { knowResponse } from '../doors/last-word.ts';
import { answerClientError } from '../doors/raw-errors.ts';
import { createRequestIds } from '../doors/request-id.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';

export interface ListenerOptions {
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  /** What an answer to an unknown path names. */
  readonly paths: readonly string[];
  /** Certificate and key, and who may be a client; absent means plain HTTP. */
  readonly tls?: SecureContextOptions & { readonly requestCert: boolean };
}

/** A whole request, its TLS handshake aside, and that handshake may take so long. */
const REQUEST_MS = 10_000;
/** How often Node looks for connections whose time is up: by default twice a minute. */
const CHECK_MS = 1_000;

const CONNECTIONS = { headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS };

/**
 * A listener for operators and probes, without any path of its own, not yet listening. It logs nothing, and closing
 * it cuts its connections at once, since a scrape is not worth waiting for.
 */
export function createListener({ errors, paths, tls }: ListenerOptions): FastifyInstance {
  const nextId = createRequestIds();
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    bodyLimit: 1024,
    genReqId: (request: IncomingMessage) => nextId(request.headers['x-request-id']),
    // Fastify's own does not know whether the request has been answered already, or which one has its turn.
    clientErrorHandler: (error: Error, socket: Socket) =>
      contain(
        () => answerClientError(error, socket, nextId(undefined)),
        (thrown) => {
          errors.report('admin', thrown);
          socket.destroy();
        },
      ),
    ...(tls === undefined
      ? { http: CONNECTIONS }
      : { https: { ...tls, ...CONNECTIONS, handshakeTimeout: REQUEST_MS } }),
  } as Parameters<typeof fastify>[0]) as unknown as FastifyInstance;
  if (tls !== undefined) endHandshakes(app.server as Server, REQUEST_MS, errors);
  app.server.prependListener('request', knowResponse);
  // Node would answer 417 by itself, and what is wrong with the body would be answered once more.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('onListen', async () => {
    // A connection that could not be accepted.
    app.server.on('error', (error) => errors.report('admin', error));
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found', paths }));
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error);
    if (status === 500) errors.report('admin', error);
    return reply.code(status).send({ error: status < 500 ? 'bad request' : 'internal error' });
  });
  return app;
}

/** Fastify says 4xx of what a client did; whatever else is thrown, if it is an error at all, is a fault of ours. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 0;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
