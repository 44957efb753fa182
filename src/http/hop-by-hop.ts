/** Hop-by-hop headers of RFC 9110 7.6.1, and those that older clients and proxies still send. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** End-to-end headers that `Connection` cannot remove: without them the message would mean something else. */
const NOT_FOR_CONNECTION =
  /^(?:host|authorization|cookie|set-cookie|www-authenticate|cache-control|expect|date|location|etag|accept.*|content-.*|x-druid-.*)$/;

/** Whether a header (in lower case) concerns one hop only. */
export function isHopByHop(lowerName: string): boolean {
  return HOP_BY_HOP.has(lowerName);
}

/** Adds the headers that a `Connection` header removes to `names`; returns null if there are none at all. */
export function namedInConnection(value: string, names: Set<string> | null): Set<string> | null {
  let found = names;
  for (const token of value.split(',')) {
    const name = token.trim().toLowerCase();
    if (name === '' || name === 'close' || name === 'keep-alive' || NOT_FOR_CONNECTION.test(name)) continue;
    found ??= new Set();
    found.add(name);
  }
  return found;
}
