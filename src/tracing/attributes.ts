import type { Attributes } from '@opentelemetry/api';
import type { UpstreamNode } from '../cluster/node.ts';
import type { RequestHead } from '../exchange/ports/client.ts';
import type { ExchangeRecord } from '../exchange/ports/record.ts';
import type { UpstreamRequest } from '../exchange/ports/upstream.ts';
import { headerValue } from '../http/header-block.ts';
import { isHostField } from '../http/host-field.ts';
import { withoutBrackets } from '../net/host-port.ts';
import { isQueryId } from '../routing/query-context.ts';

/**
 * The attributes of spans: OpenTelemetry's semantic conventions for HTTP, and our own under `druid_gateway.`. None holds
 * a query string, a body or a header that may be a credential.
 */

/** The methods of RFC 9110 and RFC 5789; all others are `_OTHER`, because anybody can make up as many as they like. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** What is known of a request when it comes. */
export function serverAttributes({
  method,
  target,
  block,
  fields,
  encrypted,
  remoteAddress,
}: RequestHead): Attributes {
  const attributes: Attributes = {
    'http.request.method': methodOf(method),
    'url.scheme': encrypted ? 'https' : 'http',
    'url.path': pathOf(target),
    'network.peer.address': remoteAddress,
  };
  const userAgent = headerValue(block, 'user-agent');
  if (userAgent !== null) attributes['user_agent.original'] = userAgent;
  return isHostField(fields.host) ? Object.assign(attributes, addressOf(fields.host)) : attributes;
}

/** What is known of it at its end. */
export function recordAttributes(record: ExchangeRecord): Attributes {
  const { placement, queryId } = record;
  const error = errorOf(record);
  return {
    'http.response.status_code': record.status,
    'http.request.body.size': record.bytesIn,
    'http.response.body.size': record.bytesOut,
    'client.address': record.remoteAddress,
    'druid_gateway.request_id': record.id,
    'druid_gateway.role': record.role,
    'druid_gateway.class': record.class,
    'druid_gateway.attempts': record.attempts,
    'druid_gateway.parked_ms': record.parkedMs,
    'druid_gateway.end': record.end,
    ...(record.reason === null ? {} : { 'druid_gateway.reason': record.reason }),
    ...(record.redirected ? { 'druid_gateway.redirected': true } : {}),
    ...(record.upstream === null ? {} : { 'druid_gateway.upstream': record.upstream }),
    ...(queryId === null || !isQueryId(queryId) ? {} : { 'druid_gateway.query_id': queryId }),
    ...(placement === null
      ? {}
      : { 'druid_gateway.service': placement.service, 'druid_gateway.chosen_by': placement.by }),
    ...(error === null ? {} : { 'error.type': error }),
  };
}

/** What made the request fail, in few words; null if it did not: a refusal of what the client did wrong is no failure. */
export function errorOf({ status, reason, end }: ExchangeRecord): string | null {
  if (end !== 'complete' && end !== 'client_gone') return end;
  return status >= 500 ? (reason ?? String(status)) : null;
}

/** The span's name, of which there are few: the method, and who answers what kind of request. */
export function serverName(method: string, { role, class: routeClass }: ExchangeRecord): string {
  const kind = routeClass === 'local' ? role : `${role} ${routeClass}`;
  return `${nameOf(method)} ${kind}`;
}

/** What is known of an attempt when it begins. `resends`: how many of the same request came before it. */
export function attemptAttributes(
  { origin, hostAndPort }: UpstreamNode,
  { method, target }: UpstreamRequest,
  resends: number,
): Attributes {
  return {
    'http.request.method': methodOf(method),
    'url.full': origin + pathOf(target),
    ...addressOf(hostAndPort),
    ...(resends === 0 ? {} : { 'http.request.resend_count': resends }),
  };
}

/** The method as part of a name. */
export function nameOf(method: string): string {
  return METHODS.has(method) ? method : 'HTTP';
}

function methodOf(method: string): string {
  return METHODS.has(method) ? method : '_OTHER';
}

/** The path without the query string, which may hold anything. */
function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** `hostAndPort` is valid, the port may be missing or empty. */
function addressOf(hostAndPort: string): Attributes {
  const colon = hostAndPort.lastIndexOf(':');
  const hasPort = colon > hostAndPort.lastIndexOf(']');
  const host = hasPort ? hostAndPort.slice(0, colon) : hostAndPort;
  const port = hasPort ? hostAndPort.slice(colon + 1) : '';
  return {
    'server.address': withoutBrackets(host),
    ...(port === '' ? {} : { 'server.port': Number(port) }),
  };
}
