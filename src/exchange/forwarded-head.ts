import { type HeaderBlock, without } from '../http/header-block.ts';
import type { RequestHead } from './ports/client.ts';

export interface RequestHeaderPolicy {
  /** The peer may say whom it forwards for. */
  readonly trusted: boolean;
}

export interface ForwardedHead {
  /** For the upstream: without Host and framing. */
  readonly headers: HeaderBlock;
  /** Declared length of the body, 0 without one, -1 when it is chunked. */
  readonly bodyLength: number;
  /** Whose request it is: the peer, or the last one that a trusted peer says it forwards for. */
  readonly onBehalfOf: string;
  readonly asksView: boolean;
}

/**
 * The headers that go upstream: everything the client sent in its order, case and number, less what concerns one
 * hop only, with `X-Forwarded-*`, `Via` and `X-Request-Id` of our own. What a stranger says of whom it forwards
 * for is dropped, not appended to: Druid's TrustedDomainAuthenticator believes the first entry.
 */
export function forwardedHead(head: RequestHead, { trusted }: RequestHeaderPolicy): ForwardedHead {
  const { fields, remoteAddress, httpMinor } = head;
  let headers = trusted ? fields.kept + fields.forwarding : fields.kept;
  if (fields.named !== null) headers = without(headers, fields.named);
  const proto = head.encrypted ? 'https' : 'http';
  const passedOn = trusted && fields.forwardedFor !== '';
  headers += `X-Forwarded-For: ${passedOn ? `${fields.forwardedFor}, ${remoteAddress}` : remoteAddress}\r\n`;
  headers += `X-Forwarded-Proto: ${trusted && fields.forwardedProto !== '' ? fields.forwardedProto : proto}\r\n`;
  const host = trusted && fields.forwardedHost !== '' ? fields.forwardedHost : fields.host;
  if (host !== '') headers += `X-Forwarded-Host: ${host}\r\n`;
  headers += `Via: 1.${httpMinor} druid-gateway\r\nX-Request-Id: ${head.id}\r\n`;
  return {
    headers,
    bodyLength: fields.bodyLength,
    onBehalfOf: passedOn ? lastOf(fields.forwardedFor) : remoteAddress,
    asksView: fields.asksView,
  };
}

/** Why the request cannot be taken at all, in one sentence, or null. */
export function requestFault({ fields, httpMinor }: RequestHead): string | null {
  if (fields.fault !== null) return fields.fault;
  const oneHost = fields.hosts === 1 || (fields.hosts === 0 && httpMinor === 0);
  return oneHost ? null : 'A request has exactly one Host header.';
}

function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}
