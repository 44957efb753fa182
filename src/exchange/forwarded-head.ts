import { type HeaderBlock, without } from '../http/header-block.ts';
import { inOnePiece } from '../http/one-piece.ts';
import type { RequestHead } from './ports/client.ts';
import type { ClientOrigin } from './ports/client-origin.ts';

/**
 * The headers to send upstream, without Host and framing. All of the client's headers stay in their order, case and
 * number, except hop-by-hop headers. `X-Forwarded-*`, `Via` and `X-Request-Id` are our own. `Forwarded` is dropped:
 * its facts about `origin` go on in `X-Forwarded-*`, so nodes get one account only.
 */
export function forwardedHead(head: RequestHead, origin: ClientOrigin): HeaderBlock {
  const { repeated } = head;
  if (repeated == null || repeated.origin !== origin) return `${untilId(head, origin)}${head.id}\r\n`;
  repeated.sent ??= inOnePiece(untilId(head, origin));
  return `${repeated.sent}${head.id}\r\n`;
}

function untilId({ fields, httpMinor }: RequestHead, origin: ClientOrigin): HeaderBlock {
  let headers = origin.trusted ? fields.kept + fields.forwarding : fields.kept;
  if (fields.named !== null) headers = without(headers, fields.named);
  headers += `X-Forwarded-For: ${origin.path}\r\nX-Forwarded-Proto: ${origin.proto}\r\n`;
  if (origin.host !== '') headers += `X-Forwarded-Host: ${origin.host}\r\n`;
  return `${headers}Via: 1.${httpMinor} druid-gateway\r\nX-Request-Id: `;
}

/** Why the request cannot be accepted at all, in one sentence; null if it can. */
export function requestFault({ fields, httpMinor }: RequestHead): string | null {
  if (fields.fault !== null) return fields.fault;
  if (httpMinor === 0) {
    // RFC 9112 6.1: such a message must be treated as one with faulty framing.
    if (fields.bodyLength < 0) return 'A request of HTTP/1.0 cannot have a Transfer-Encoding.';
    return fields.hosts <= 1 ? null : ONE_HOST;
  }
  if (fields.hosts !== 1) return ONE_HOST;
  return fields.host === '' ? 'The Host header is empty.' : null;
}

const ONE_HOST = 'A request has exactly one Host header.';
