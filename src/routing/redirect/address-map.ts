import { parseNodeAddress } from '../../net/origin.ts';

/** One rule: announced `host:port`, in which `*` stands for anything, to an external URL. */
export interface AddressRule {
  /** `10.0.0.7:8081`, `*:8081`, `10.0.*:8081`, `*.druid.internal:8081` or `*`; IPv6 in brackets. */
  readonly from: string;
  /** An http(s) URL without path, in which `{host}`, `{port}` and `{hostname-first-label}` may stand. */
  readonly to: string;
}

/** The external origin of an announced `host:port`, or null where no rule names it. */
export type AddressMap = (hostAndPort: string) => string | null;

/** A rule without `*` wins over one with; otherwise the first that fits. Nodes are compared in any spelling. */
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

function patternOf(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`, 's');
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
