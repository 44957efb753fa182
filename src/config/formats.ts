import { isIP, isIPv6 } from 'node:net';
import { parseConnectString, pathProblem } from '../net/connect-string.ts';
import { isHost, parseHostPort } from '../net/host-port.ts';
import { parseOrigin } from '../net/origin.ts';

/** In characters; it is a part of every URL. */
const LONGEST_BASE_PATH = 200;

/** Checks behind the `format` keywords of the schema. */
export const FORMATS = {
  host: isHost,
  cidr: isNetwork,
  'name-suffix': (text) =>
    isHost(text.replace(/^\./, '')) && !/^\.?[\d.]+$/.test(text) && !text.includes(':'),
  znode: (text) => pathProblem(text) === null,
  'zookeeper-connect': isConnectString,
  'node-url': isNodeUrl,
  // As `K8sDiscoveryConfig` checks it, and short enough for the name of a ConfigMap and for a label.
  'kubernetes-cluster': (text) => text.length <= 63 && /^[a-z0-9][a-z0-9-]*[a-z0-9]$/.test(text),
  // A label of DNS (RFC 1123).
  'kubernetes-namespace': (text) => text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text),
  'server-url': isPlainUrl,
  // A part of the names of services, of a path and of keys.
  'consul-prefix': (text) =>
    text.length <= 100 && /^[\w.-]+(?:\/[\w.-]+)*$/.test(text) && !text.split('/').includes('..'),
  'consul-key': (text) =>
    text.length <= 512 && /^[^\s?#/][^\s?#]*$/.test(text) && !text.split('/').includes('..'),
  'consul-datacenter': (text) => text.length <= 64 && /^[\w-]+$/.test(text),
  // `_service._proto.name` in most cases, but any name may have such records (RFC 2782).
  'srv-name': (text) => text.length <= 253 && /^[\w-]{1,63}(?:\.[\w-]{1,63})*\.?$/.test(text),
  'dns-server': isDnsServer,
  'path-prefix': (text) => /^\/[^\s?#%]*$/.test(text),
  // Unreserved characters (RFC 3986 2.3) alone: nobody encodes them, and they mean nothing in cookies and scripts.
  'base-path': (text) =>
    text.length <= LONGEST_BASE_PATH && /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*$/.test(text),
  // Pages without an origin of their own send `null`, so `null` identifies nobody.
  origin: (text) => text === '*' || /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@*,\\]+$/i.test(text),
  'header-name': (text) => /^[\w!#$%&'*+.^`|~-]+$/.test(text),
  // Credentials do not belong in a configuration, because it is displayed.
  'header-match': (text) =>
    /^[\w!#$%&'*+.^`|~-]+(?::[ \t]*[^\r\n]+)?$/.test(text) &&
    !/^(?:authorization|cookie|proxy-.*)(?::|$)/i.test(text),
  // The exporter writes those that HTTP needs.
  'header-line': (text) =>
    /^[\w!#$%&'*+.^`|~-]+:[ \t]*[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) &&
    !/^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect):/i.test(text),
  // A user or a query may be a credential, and the endpoint is shown.
  'otlp-endpoint': isPlainUrl,
  attribute: (text) => /^[^\s=][^=]*=.+$/s.test(text),
  // A label of DNS, as the names of ports of Services.
  'kubernetes-port': (text) =>
    text === '' || (text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)),
  'haproxy-name': (text) => /^[\w.:-]{1,128}$/.test(text),
  // One line of commands has several, with semicolons between them.
  'haproxy-words': (text) =>
    /^[\x21-\x3a\x3c-\x7e]+(?: [\x21-\x3a\x3c-\x7e]+)*$/.test(text) && text.length <= 1000,
  'address-pattern': (text) =>
    text === '*' || /^(?:\[[0-9a-f:.*]+\]|[^\s:[\]/@]+):(?:\d{1,5}|\*)$/i.test(text),
  'address-template': (text) =>
    isNodeUrl(text.replaceAll('{port}', '1').replaceAll(/\{(host|hostname-first-label)\}/g, 'a')),
} as const satisfies Readonly<Record<string, (text: string) => boolean>>;

export type FormatName = keyof typeof FORMATS;

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (isIP(address) === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv6(address) ? 128 : 32);
}

function isConnectString(text: string): boolean {
  try {
    parseConnectString(text);
    return true;
  } catch {
    return false;
  }
}

/** An address, and a port if it is not 53. */
function isDnsServer(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const server = /\s/.test(text) ? null : parseHostPort(text);
  return server !== null && server.port > 0 && isIP(server.host) !== 0;
}

/** An http(s) URL that may have a path, but neither user nor query. */
function isPlainUrl(text: string): boolean {
  return isNodeUrl(text.replace(/^([a-z]+:\/\/[^/]*)\/.*$/is, '$1')) && /^[^\s?#\\]+$/.test(text);
}

function isNodeUrl(text: string): boolean {
  return /^https?:\/\/[^\s/@?#\\]+\/?$/i.test(text) && parseOrigin(text) !== null;
}
