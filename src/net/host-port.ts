import { isIPv4, isIPv6 } from 'node:net';

export interface HostPort {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  /** Port number; 0 lets the system choose. */
  readonly port: number;
}

/** Parses `HOST:PORT`, IPv6 in brackets; null for anything else. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return null;
  const [, bracketed, bare, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return null;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : null;
  return bare !== undefined && isHost(bare) ? { host: bare, port } : null;
}

/** Formats as `HOST:PORT`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns a host as it stands in a URL without the brackets of an IPv6 address, as sockets want it. */
export function withoutBrackets(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** Loopback addresses that reach a listener on all addresses. */
const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** Returns where a listener can be reached on its own machine, as `HOST:PORT`. */
export function fromHere({ host, port }: HostPort): string {
  return formatHostPort({ host: LOOPBACK.get(host) ?? host, port });
}

/** Whether the text is an IP address (without brackets) or a possible host name. */
export function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIPv4(text);
  if (text.includes(':')) return isIPv6(text);
  return text.length <= 253 && isHostName(text);
}

/**
 * Whether the text is a possible host name, of any length. A name that ends in a number is parsed as an address by
 * URLs, perhaps not the one it looks like: `0x7f.1` and `2130706433` are 127.0.0.1 (WHATWG URL, "ends in a
 * number").
 */
export function isHostName(text: string): boolean {
  if (!/^(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/.test(text)) return false;
  const labels = text.replace(/\.$/, '').split('.');
  return !/^(?:\d+|0x[\da-f]*)$/i.test(labels.at(-1) ?? '');
}
