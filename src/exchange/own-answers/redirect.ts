import { parseOrigin } from '../../net/origin.ts';
import type { Accounting } from '../accounting.ts';
import type { ClientSide } from '../ports/client.ts';
import { answer } from './answer.ts';

/**
 * Sends the client to the node itself: 307, so that method and body are repeated, with the client's own bytes as
 * path and query. The request's body is not read.
 */
export function redirect(client: ClientSide, account: Accounting, origin: string, target: string): void {
  account.redirected = true;
  answer(client, account, {
    status: 307,
    body: '',
    headers: ['Location', origin + target],
  });
}

/**
 * A `Location` of Druid's, split into origin, as nodes are known by if it can be one, and the rest; null when it has no
 * http(s) origin.
 */
export function splitLocation(location: string): { readonly origin: string; readonly target: string } | null {
  const match = /^(https?:)?\/\/([^/?#\\]*)(.*)$/is.exec(location.trim());
  if (match === null) return null;
  const authority = (match[2] ?? '').replace(/^.*@/, '').toLowerCase();
  const scheme = (match[1] ?? '').toLowerCase();
  const rest = match[3] ?? '';
  const origin = `${scheme}//${authority}`;
  return { origin: parseOrigin(origin) ?? origin, target: rest.startsWith('/') ? rest : `/${rest}` };
}
