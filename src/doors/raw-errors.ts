import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody, type GatewayError } from '../exchange/errors.ts';

const METHOD_NOT_ALLOWED: GatewayError = {
  status: 405,
  reason: 'method_not_allowed',
  message: 'The gateway does not open tunnels.',
  allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
};

/** Answers what never became a request: bytes that are not HTTP, too large a head, a head that took too long. */
export function answerClientError(error: Error & { code?: string }, socket: Socket, id: string): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy(error);
    return;
  }
  if (answered.has(socket)) return;
  answered.add(socket);
  answerInTurn(socket, clientError(error.code), id);
}

/** Connections whose requests have come to such an end; more bytes make no other of it. */
const answered = new WeakSet<Socket>();

/** Requests that came whole before the one that is refused are answered first. */
function answerInTurn(socket: Socket, error: GatewayError, id: string): void {
  const { _httpMessage: current } = socket as { _httpMessage?: ServerResponse | null };
  if (current == null) {
    if (socket.writable) answerRaw(socket, error, id);
  } else if (current.req.complete) current.once('close', () => answerInTurn(socket, error, id));
  else if (current.headersSent) socket.destroy();
  else answerRaw(socket, error, id);
}

/** Answers what cannot become a request any more. */
export function answerMalformed(socket: Socket, id: string): void {
  answerRaw(socket, clientError(undefined), id);
}

/** Answers a request that did not come in time, and ends its connection. */
export function answerTimeout(socket: Socket, id: string): void {
  answerRaw(socket, clientError('ERR_HTTP_REQUEST_TIMEOUT'), id);
}

/** CONNECT has no answer in `node:http` unless one listens. */
export function answerConnect(_: IncomingMessage, socket: Socket, id: string): void {
  answerRaw(socket, METHOD_NOT_ALLOWED, id);
}

function clientError(code: string | undefined): GatewayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        reason: 'headers_too_large',
        message: 'The headers of the request are too large.',
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, reason: 'request_timeout', message: 'The request did not arrive in time.' };
    default:
      return { status: 400, reason: 'request_malformed', message: 'The request is not valid HTTP/1.1.' };
  }
}

function answerRaw(socket: Socket, error: GatewayError, id: string): void {
  const body = errorBody(error, id);
  const allow = error.allow === undefined ? '' : `Allow: ${error.allow}\r\n`;
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${allow}Connection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
