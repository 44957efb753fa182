import { gunzipSync } from 'node:zlib';
import { parseOrigin } from '../net/origin.ts';
import type { Announcement, Label, Role } from './discovery.ts';
import { type Fields, isFields } from './json-fields.ts';

/** `ignored`: an entry that Druid also ignores silently. `fault`: an entry that should not have been written. */
export type ParsedAnnouncement =
  | { readonly kind: 'announcement'; readonly announcement: Announcement }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'fault'; readonly reason: string };

/** The same of a node of any role. */
export type ParsedNode =
  | { readonly kind: 'node'; readonly node: Omit<Announcement, 'role'> }
  | Exclude<ParsedAnnouncement, { readonly kind: 'announcement' }>;

/** Largest JSON in bytes: a real announcement has about 1 kB, and ten thousand of this size do no harm. */
const MAX_JSON_BYTES = 16 * 1024;
/** Longest host or service, in characters; DNS has no longer names. */
const LONGEST_NAME = 255;
const LONGEST_VERSION = 64;
const MOST_LABELS = 32;
/** Control characters, marks that a terminal would interpret, and code points that are not characters. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * Parses a child of `internal-discovery/<ROLE>`: the JSON of `DiscoveryDruidNode`, gzip or plain
 * (`PotentiallyGzippedCompressionProvider`: nodes of one cluster may differ). Never throws.
 *
 * Unknown fields are ignored and optional ones may be missing, so older and newer Druid versions can be read. An
 * entry whose `nodeType` is not the folder's role is ignored, as in `BaseNodeRoleWatcher`.
 */
export function parseAnnouncement(role: Role, data: Buffer): ParsedAnnouncement {
  const parsed = parseNode(role, data);
  return parsed.kind === 'node' ? { kind: 'announcement', announcement: { role, ...parsed.node } } : parsed;
}

/** Parses the same of a node of any role; `nodeType` is its name in the JSON (`NodeRole.getJsonName`). */
export function parseNode(nodeType: string, data: Buffer): ParsedNode {
  const json = readJson(data);
  if (json === null) return fault('is no JSON object, neither gzip nor plain');
  if (json.nodeType !== nodeType) return { kind: 'ignored' };
  const node = json.druidNode;
  if (!isFields(node)) return fault('has no druidNode');
  const { service, host, version } = node;
  if (!isName(service)) return fault('has no druidNode.service');
  if (!isName(host)) return fault('has no druidNode.host');
  const address = addressOf(node);
  if (address === null) return fault('has no port that is open');
  const hostAndPort = `${bracketed(host)}:${address.port}`;
  // Neither an address nor a name to Java, which is to resolve it.
  const origin = /^[\d.]+\.$/.test(host) ? null : parseOrigin(`${address.scheme}://${hostAndPort}`);
  if (origin === null) return fault('has no valid druidNode.host');
  const labels = labelsOf(node.labels);
  return {
    kind: 'node',
    node: {
      hostAndPort,
      origin,
      service,
      version: isVersion(version) ? version : null,
      ...(labels.length === 0 ? {} : { labels }),
    },
  };
}

/** TLS wins when both ports are open (`DruidNode.getServiceScheme`, `getHostAndPortToUse`). */
function addressOf(node: Fields): { scheme: 'http' | 'https'; port: number } | null {
  const { tlsPort, enableTlsPort, plaintextPort, enablePlaintextPort } = node;
  if (enableTlsPort !== false && isPort(tlsPort)) return { scheme: 'https', port: tlsPort };
  if (enablePlaintextPort !== false && isPort(plaintextPort)) return { scheme: 'http', port: plaintextPort };
  return null;
}

function isName(value: unknown): value is string {
  return isText(value, LONGEST_NAME);
}

function isVersion(value: unknown): value is string {
  return isText(value, LONGEST_VERSION) && value !== 'unknown';
}

/** Text that metrics, logs and `/status` can show unchanged. */
function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest && !UNSEEN.test(value);
}

/** Keeps only text labels, limited in number and length: they are shown, and nothing depends on them. */
function labelsOf(labels: unknown): readonly Label[] {
  if (!isFields(labels)) return [];
  return Object.entries(labels)
    .filter((label): label is [string, string] => label.every(isName))
    .slice(0, MOST_LABELS);
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

/** `DruidNode.host` holds IPv6 addresses without brackets. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function readJson(data: Buffer): Fields | null {
  try {
    const value: unknown = JSON.parse(inflated(data).toString('utf8'));
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether the data is compressed (`druid.zk.service.compress`). */
export function isGzip(data: Buffer): boolean {
  return data.length >= 2 && data[0] === 0x1f && data[1] === 0x8b;
}

function inflated(data: Buffer): Buffer {
  if (data.length > MAX_JSON_BYTES) throw new RangeError('too long');
  return isGzip(data) ? gunzipSync(data, { maxOutputLength: MAX_JSON_BYTES }) : data;
}

function fault(reason: string): { readonly kind: 'fault'; readonly reason: string } {
  return { kind: 'fault', reason };
}
