import { isIPv4, isIPv6 } from 'node:net';
import { isHostName } from './host-port.ts';

/** Longest URL in characters; leaves room for a host name of 255. */
const LONGEST = 300;
/** After the port only a slash may follow: no path, query or credentials. */
const ORIGIN = /^https?:\/\/(?:\[([^\]%]+)\]|([^:/[\]]+))(?::\d{1,5})?\/?$/i;

/**
 * Parses the http(s) URL of a Druid node: `http://host:port`, as `DruidNode` writes it into a latch. Null for anything
 * else, including URLs with a path or credentials, and hosts that are neither an address nor a name.
 *
 * All spellings of one address give the same text, so texts from all sources can be compared: the host is in lower
 * case, IPv6 as short as it can be (Java writes `[0:0:0:0:0:0:0:1]`), an IPv4 address in IPv6 as plain IPv4, a name
 * without its final dot, and the port is spelled out.
 */
export function parseOrigin(text: string): string | null {
  if (text.length > LONGEST) return null;
  const [, bracketed, bare = ''] = ORIGIN.exec(text) ?? [];
  const plain = bare.replace(/\.$/, '');
  const isHost = bracketed === undefined ? isIPv4(plain) || isHostName(plain) : isIPv6(bracketed);
  if (!isHost || !URL.canParse(text)) return null;
  const url = new URL(text);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const host = normalHost(url.hostname);
  if (host === '' || host.endsWith('.') || port === '0') return null;
  return `${url.protocol}//${host}:${port}`;
}

/** The one spelling of a node's `host:port`; null for what is none. */
export function parseNodeAddress(text: string): string | null {
  if (!/^[^/?#]+:\d+$/.test(text)) return null;
  const origin = parseOrigin(`http://${text}`);
  return origin === null ? null : origin.slice('http://'.length);
}

const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;

/** What `URL` leaves of two spellings. */
function normalHost(host: string): string {
  const [, high, low] = MAPPED.exec(host) ?? [];
  if (high === undefined || low === undefined) return host.replace(/\.$/, '');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(Number.parseInt(high, 16), 0);
  bytes.writeUInt16BE(Number.parseInt(low, 16), 2);
  return bytes.join('.');
}
