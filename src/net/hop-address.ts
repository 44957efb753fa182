import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** With a port as some proxies write it, and the obscured one of RFC 7239 6.3. */
const WRITTEN = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i;
const MAPPED = '::ffff:';

/**
 * The address of a hop as a proxy writes it into `X-Forwarded-For` or `Forwarded`: IPv4 or IPv6, with or without
 * brackets and a port. Yields it as everybody writes it (IPv6 as RFC 5952, IPv4-mapped as IPv4), so that one client has
 * one name; null for anything else, `unknown` and obscured names (RFC 7239 6.2, 6.3) among it.
 */
export function hopAddress(text: string): string | null {
  const written = WRITTEN.exec(text);
  const address = written?.[1] ?? written?.[2] ?? text;
  if (isIPv4(address)) return written?.[1] === undefined ? address : null;
  // An address with a zone is one of another machine's links.
  if (!isIPv6(address) || address.includes('%')) return null;
  const plain = new SocketAddress({ address, family: 'ipv6' }).address;
  return plain.startsWith(MAPPED) && isIPv4(plain.slice(MAPPED.length)) ? plain.slice(MAPPED.length) : plain;
}
