import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** An address with an optional port, as some proxies write it, or an obfuscated port (RFC 7239 6.3). */
const WRITTEN = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i;
const MAPPED = '::ffff:';

/**
 * Parses the address of a hop in `X-Forwarded-For` or `Forwarded`: IPv4 or IPv6, with or without brackets and a
 * port. Returns it in normal form (IPv6 as in RFC 5952, IPv4-mapped as IPv4), so each client has one name. Null for
 * anything else, including `unknown` and obfuscated names (RFC 7239 6.2, 6.3).
 */
export function hopAddress(text: string): string | null {
  const written = WRITTEN.exec(text);
  const address = written?.[1] ?? written?.[2] ?? text;
  if (isIPv4(address)) return written?.[1] === undefined ? address : null;
  // A zone refers to a network link of another machine.
  if (!isIPv6(address) || address.includes('%')) return null;
  const plain = new SocketAddress({ address, family: 'ipv6' }).address;
  return plain.startsWith(MAPPED) && isIPv4(plain.slice(MAPPED.length)) ? plain.slice(MAPPED.length) : plain;
}
