import type { ReasonCode } from '../../errors/catalogue.ts';
import { errorBody, type GatewayError } from '../../errors/gateway-error.ts';
import { blockOf, type HeaderBlock } from '../../http/header-block.ts';
import type { Accounting } from '../accounting.ts';
import type { ClientSide } from '../ports/client.ts';

/** The gateway's own answer. */
export interface OwnAnswer {
  readonly status: number;
  /** JSON text; empty for an answer without a body. */
  readonly body: string;
  /** Alternating names and values, in addition to Cache-Control, Content-Type and Content-Length. */
  readonly headers?: readonly string[];
  readonly reason?: ReasonCode;
}

/** Sends our own answer, marked `no-store`. A HEAD request gets the same head and no body. */
export function answer(client: ClientSide, account: Accounting, own: OwnAnswer): void {
  // Even a buffer of nothing costs memory of its own.
  const body = own.body === '' ? null : Buffer.from(own.body);
  let headers: HeaderBlock = `Cache-Control: no-store\r\n${blockOf(own.headers ?? [])}`;
  if (body !== null) headers += 'Content-Type: application/json\r\n';
  if (own.status !== 204) headers += `Content-Length: ${body?.byteLength ?? 0}\r\n`;
  account.status = own.status;
  account.reason = own.reason ?? null;
  client.writeHead(own.status, '', headers, false);
  if (client.head.method === 'HEAD' || body === null) {
    client.end();
    return;
  }
  account.bytesOut = body.byteLength;
  client.end(body);
}

/** Sends an error in Druid's format, with `Retry-After` and `Allow` if the error has them. */
export function answerError(client: ClientSide, account: Accounting, error: GatewayError): void {
  const headers = ['X-Request-Id', client.head.id];
  if (error.retryAfter !== undefined) headers.push('Retry-After', String(error.retryAfter));
  if (error.allow !== undefined) headers.push('Allow', error.allow);
  if (error.closes) headers.push('Connection', 'close');
  answer(client, account, {
    status: error.status,
    body: errorBody(error, client.head.id),
    headers,
    reason: error.reason,
  });
}
