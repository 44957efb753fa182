import { forwardedElements } from '../http/forwarded-field.ts';
import { isHostField } from '../http/host-field.ts';
import type { RequestFields } from '../http/request-fields.ts';
import { hopAddress } from '../net/hop-address.ts';
import type { RequestHead } from './ports/client.ts';

/** Headers in which proxies say whom they forward for. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded';

/** Who is believed what of whom they forward for. */
export interface ForwardingPolicy {
  /** Whether a hop is one of our proxies: by its address, and by how many are between it and the peer, itself counted. */
  readonly trusts: (address: string, hop: number) => boolean;
  /** The one that our proxies write. */
  readonly forwardedHeader: ForwardedHeader;
}

/** Whose request it is, and where they sent it. */
export interface ClientOrigin {
  /** The one address of the client: for limits, turns, redirects and logs. */
  readonly address: string;
  /** It and all hops behind it, the peer last, as a list for `X-Forwarded-For`. */
  readonly path: string;
  readonly proto: string;
  /** What the client called the gateway; empty where it did not say. */
  readonly host: string;
  /** The peer's other `X-Forwarded-*` are believed. */
  readonly trusted: boolean;
}

const PROTO = /^https?$/i;

/**
 * Whose request it is. The list of hops is walked from its end, where the peer has written, as long as the hop that has
 * written is trusted; the first that is not, or the last that is told of, is the client. What stands in front of it is
 * the client's own word, and nowhere used: Druid's TrustedDomainAuthenticator believes the first entry. Scheme and host
 * are those that the nearest trusted proxy tells of.
 */
export function clientOrigin(head: RequestHead, policy: ForwardingPolicy): ClientOrigin {
  const { fields, remoteAddress } = head;
  const trusted = policy.trusts(remoteAddress, 0);
  const own = { proto: head.encrypted ? 'https' : 'http', host: fields.host };
  if (!trusted) return { address: remoteAddress, path: remoteAddress, ...own, trusted };
  const byElements =
    policy.forwardedHeader === 'forwarded' || (fields.forwardedFor === '' && fields.forwarded !== '');
  let address = remoteAddress;
  let path = remoteAddress;
  let proto = byElements ? '' : lastOf(fields.forwardedProto);
  let host = byElements ? '' : lastOf(fields.forwardedHost);
  let hop = 0;
  for (const told of byElements ? forwardedElements(fields.forwarded) : listedHops(fields)) {
    if (!policy.trusts(address, hop)) break;
    if (byElements) ({ proto, host } = told);
    const next = hopAddress(told.for);
    if (next === null) break;
    address = next;
    path = `${next}, ${path}`;
    hop++;
  }
  return {
    address,
    path,
    proto: PROTO.test(proto) ? proto.toLowerCase() : own.proto,
    host: isHostField(host) ? host : own.host,
    trusted: policy.forwardedHeader === 'x-forwarded-for',
  };
}

/** `X-Forwarded-For` from the nearest hop on; empty entries do not count (RFC 9110 5.6.1). */
function* listedHops({
  forwardedFor,
}: RequestFields): Generator<{ for: string; proto: string; host: string }> {
  for (let end = forwardedFor.length; end > 0; ) {
    const comma = forwardedFor.lastIndexOf(',', end - 1);
    const entry = forwardedFor.slice(comma + 1, end).trim();
    if (entry !== '') yield { for: entry, proto: '', host: '' };
    end = comma;
  }
}

function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}
