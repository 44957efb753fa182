import { forwardedElements } from '../http/forwarded-field.ts';
import { isHostField } from '../http/host-field.ts';
import type { RequestFields } from '../http/request-fields.ts';
import { hopAddress } from '../net/hop-address.ts';
import type { RequestHead } from './ports/client.ts';
import type { ClientOrigin, ForwardingPolicy } from './ports/client-origin.ts';

const PROTO = /^https?$/i;

/**
 * Finds the client of a request. Each hop's entry is written by the next hop, the last one by the peer. The list is
 * read from its end while the hop that wrote the entry is trusted. The client is the first hop that is not trusted,
 * or the last one listed. Entries before it are the client's own claims and are never used: Druid's
 * TrustedDomainAuthenticator believes the first entry. Scheme and host come from the `Forwarded` element that names
 * the client, or else from the last entries of `X-Forwarded-Proto` and `X-Forwarded-Host`.
 */
export function clientOrigin(head: RequestHead, policy: ForwardingPolicy): ClientOrigin {
  const { repeated } = head;
  if (repeated == null) return judge(head, policy);
  if (repeated.origin === null || repeated.policy !== policy) {
    repeated.policy = policy;
    repeated.origin = judge(head, policy);
    repeated.sent = null;
  }
  return repeated.origin;
}

function judge(head: RequestHead, policy: ForwardingPolicy): ClientOrigin {
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

/** The entries of `X-Forwarded-For`, nearest hop first. Empty entries are skipped (RFC 9110 5.6.1). */
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
