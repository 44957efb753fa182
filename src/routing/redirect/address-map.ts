import { parseNodeAddress } from '../../net/origin.ts';

/** One rule: maps an announced `host:port`, which may contain `*`, to an external URL. */
export interface AddressRule {
  /** `10.0.0.7:8081`, `*:8081`, `10.0.*:8081`, `*.druid.internal:8081` or `*`; IPv6 in brackets. */
  readonly from: string;
  /** An http(s) URL without path; may contain `{host}`, `{port}` and `{hostname-first-label}`. */
  readonly to: string;
}

/** Returns the external origin of an announced `host:port`, or null if no rule matches. */
export type AddressMap = (hostAndPort: string) => string | null;

/**
 * A rule without `*` wins over rules with `*`; among those the first match wins. All spellings of a node are equal.
 */
export function createAddressMap(rules: readonly AddressRule[]): AddressMap {
  const exact = new Map<string, string>();
  const patterns: { readonly pattern: RegExp; readonly to: string }[] = [];
  for (const { from, to } of rules) {
    const name = parseNodeAddress(from) ?? from.toLowerCase();
    if (name.includes('*')) patterns.push({ pattern: patternOf(name), to });
    else if (!exact.has(name)) exact.set(name, to);
  }
  return (hostAndPort) => {
    const name = parseNodeAddress(hostAndPort) ?? hostAndPort.toLowerCase();
    const to = exact.get(name) ?? patterns.find(({ pattern }) => pattern.test(name))?.to;
    return to === undefined ? null : fill(to, hostAndPort);
  };
}

/**
 * `*` matches only what can stand in its place: numbers of an address, any labels before a name
 * (`*.druid.internal`), otherwise part of one label. If it matched more, `10.0.*` would match `10.0.evil.example`.
 */
function patternOf(glob: string): RegExp {
  if (glob === '*') return /^/;
  const colon = glob.lastIndexOf(':');
  const port = glob.slice(colon + 1).replace('*', '\\d+');
  return new RegExp(`^${hostPattern(glob.slice(0, colon))}:${port}$`, 's');
}

function hostPattern(glob: string): string {
  if (glob === '*') return '.*';
  if (glob.startsWith('[')) return pieces(glob, '[0-9a-f:.]*');
  if (/^[\d.*]+$/.test(glob)) return pieces(glob, '\\d*(?:\\.\\d+)*');
  const before = glob.startsWith('*.') ? '[^.:]+(?:\\.[^.:]+)*' : '';
  return before + pieces(before === '' ? glob : glob.slice(1), '[^.:]*');
}

function pieces(glob: string, between: string): string {
  return glob
    .split('*')
    .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join(between);
}

function fill(template: string, hostAndPort: string): string {
  const colon = hostAndPort.lastIndexOf(':');
  const host = hostAndPort.slice(0, colon);
  const label = /^[^.:[\]]+/.exec(host)?.[0] ?? host;
  return template
    .replaceAll('{host}', () => host)
    .replaceAll('{port}', () => hostAndPort.slice(colon + 1))
    .replaceAll('{hostname-first-label}', () => label)
    .replace(/\/+$/, '');
}
