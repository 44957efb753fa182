import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { type FastifyInstance, fastify } from 'fastify';
import { endHandshakes } from '../doors/front/handshakes.ts';
import { knowResponse } from '../doors/last-word.ts';
import { NO_SCHEMAS } from '../doors/no-schemas.ts';
import { answerClientError } from '../doors/raw-errors.ts';
import { createRequestIds } from '../doors/request-id.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';

export interface ListenerOptions {
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** The paths listed in the answer to an unknown path. */
  readonly paths: readonly string[];
  /** Certificate, key and whether clients need a certificate; absent means plain HTTP. */
  readonly tls?: SecureContextOptions & { readonly requestCert: boolean };
}

/** Timeout in ms, for a TLS handshake and then for each whole request. */
const REQUEST_MS = 10_000;
/** How often Node checks for timed-out connections, in ms; its default is 30 s. */
const CHECK_MS = 1_000;

const CONNECTIONS = { headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS };

/**
 * Creates a listener for operators and probes, without paths of its own and not yet listening. It logs nothing.
 * Closing it cuts its connections at once, because a scrape is not worth waiting for.
 */
export function createListener({ errors, paths, tls }: ListenerOptions): FastifyInstance {
  const nextId = createRequestIds();
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    bodyLimit: 1024,
    schemaController: NO_SCHEMAS,
    genReqId: (request: IncomingMessage) => nextId(request.headers['x-request-id']),
    // Fastify's handler does not know whether a request was already answered, or which one is next.
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
  // Node would answer 417 itself, and a problem with the body would then be answered a second time.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('onListen', async () => {
    // The server could not accept a connection.
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

/** Fastify gives client mistakes a 4xx status; anything else thrown is an internal error. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 0;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
