import { isIPv4, isIPv6 } from 'node:net';
import { isHostName } from './host-port.ts';

/** Longest URL in characters; leaves room for a host name of 255. */
const LONGEST = 300;
/** After the port only a slash may follow: no path, query or credentials. */
const ORIGIN = /^https?:\/\/(?:\[([^\]%]+)\]|([^:/[\]]+))(?::\d{1,5})?\/?$/i;

/**
 * Parses the http(s) URL of a Druid node: `http://host:port`, as `DruidNode` writes it into a latch. The port is
 * always spelled out, so origins from both sources can be compared. Null for anything else, including URLs with a
 * path and hosts that are neither an address nor a name.
 */
export function parseOrigin(text: string): string | null {
  if (text.length > LONGEST) return null;
  const [, bracketed, bare = ''] = ORIGIN.exec(text) ?? [];
  const isHost = bracketed === undefined ? isIPv4(bare) || isHostName(bare) : isIPv6(bracketed);
  if (!isHost || !URL.canParse(text)) return null;
  const url = new URL(text);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (url.hostname === '' || port === '0') return null;
  return `${url.protocol}//${url.hostname}:${port}`;
}
