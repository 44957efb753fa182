import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody, type GatewayError, gatewayError } from '../errors/gateway-error.ts';
import { sayLast, sayLastAlone } from './last-word.ts';

const NO_TUNNELS = gatewayError('method_not_allowed', {
  message: 'The gateway does not open tunnels.',
  allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
});

/** Answers what never became a request: bytes that are not HTTP, too large a head, a head that took too long. */
export function answerClientError(error: Error & { code?: string }, socket: Socket, id: string): void {
  if (socket.destroyed || socket.errored !== null || error.code === 'ECONNRESET') socket.destroy();
  else sayLast(socket, rawAnswer(clientError(error.code), id));
}

/** Answers what cannot become a request any more. */
export function answerMalformed(socket: Socket, id: string): void {
  sayLast(socket, rawAnswer(clientError(undefined), id));
}

/** Answers a request that did not come in time, and ends its connection. */
export function answerTimeout(socket: Socket, id: string): void {
  sayLast(socket, rawAnswer(clientError('ERR_HTTP_REQUEST_TIMEOUT'), id));
}

/** Answers CONNECT, with which `node:http` leaves the connection to us, without a listener for its errors. */
export function answerConnect(socket: Socket, id: string): void {
  sayLastAlone(socket, rawAnswer(NO_TUNNELS, id));
}

function clientError(code: string | undefined): GatewayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return gatewayError('headers_too_large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return gatewayError('request_timeout');
    default:
      return gatewayError('request_malformed');
  }
}

function rawAnswer(error: GatewayError, id: string): string {
  const body = errorBody(error, id);
  const allow = error.allow === undefined ? '' : `Allow: ${error.allow}\r\n`;
  return (
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n${allow}Connection: close\r\n\r\n${body}`
  );
}
