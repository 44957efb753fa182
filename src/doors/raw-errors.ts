import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody, type GatewayError, gatewayError } from '../errors/gateway-error.ts';
import { isBetweenRequests } from './front/sliced-read.ts';
import { answerOf, sayLast, sayLastAlone } from './last-word.ts';

const TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

const NO_TUNNELS = gatewayError('method_not_allowed', {
  message: 'The gateway does not open tunnels.',
  allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
});

/**
 * Answers bytes that never became a request: invalid HTTP, too large a head, or a head that took too long. Without a
 * request there is no answer: the client would take it for the answer to its next request.
 */
export function answerClientError(error: Error & { code?: string }, socket: Socket, id: string): void {
  const unasked = error.code === TIMEOUT && isBetweenRequests(socket) && answerOf(socket) === null;
  if (unasked || socket.destroyed || socket.errored !== null || error.code === 'ECONNRESET') socket.destroy();
  else sayLast(socket, rawAnswer(clientError(error.code), id));
}

/** Answers a request that can no longer become complete; `toHead`: its method was HEAD. */
export function answerMalformed(socket: Socket, id: string, toHead: boolean): void {
  sayLast(socket, rawAnswer(clientError(undefined), id), toHead);
}

/** Answers a request that did not arrive in time, and ends its connection. */
export function answerTimeout(socket: Socket, id: string, toHead: boolean): void {
  sayLast(socket, rawAnswer(clientError(TIMEOUT), id), toHead);
}

/**
 * Answers CONNECT. `node:http` hands its connection to us without an error listener. `fault`: what is wrong with its
 * head; null if nothing.
 */
export function answerConnect(socket: Socket, id: string, fault: string | null): void {
  sayLastAlone(socket, rawAnswer(fault === null ? NO_TUNNELS : malformed(fault), id));
}

/** Returns the error of a request that is not valid HTTP/1.1. */
export function malformed(message: string): GatewayError {
  return gatewayError('request_malformed', { message });
}

function clientError(code: string | undefined): GatewayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return gatewayError('headers_too_large');
    case TIMEOUT:
      return gatewayError('request_timeout');
    default:
      return malformed('The request is not valid HTTP/1.1.');
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
