import { isIP } from 'node:net';
import { createAddressSet } from '../net/address-set.ts';
import { withoutBrackets } from '../net/host-port.ts';
import { parseOrigin } from '../net/origin.ts';
import type { Announcement } from './discovery.ts';

export interface AllowedOrigins {
  /** Addresses and networks, for nodes that announce addresses. */
  readonly networks: readonly string[];
  /** Host names, or suffixes of host names that start with a dot, for nodes that announce names. */
  readonly names: readonly string[];
  readonly httpsOnly: boolean;
}

/** Returns why a node may not be used, as the end of a sentence, or null if it may. */
export type OriginRefusal = (origin: string) => string | null;

/**
 * Decides which nodes the source of discovery may name. If networks or names are given, every other node is
 * refused: otherwise anyone who can write to the source could have clients' credentials sent anywhere. The function
 * takes origins as `parseOrigin` returns them. Names are not resolved.
 */
export function createOriginRefusal({ networks, names, httpsOnly }: AllowedOrigins): OriginRefusal {
  const isInNetwork = createAddressSet(networks);
  const wanted = names.map(plainName);
  const bounded = networks.length > 0 || names.length > 0;

  function isNamed(host: string): boolean {
    const name = plainName(host);
    return wanted.some((one) => (one.startsWith('.') ? name.endsWith(one) : name === one));
  }

  return (origin) => {
    if (httpsOnly && !origin.startsWith('https://')) return 'is not https (discovery.allow.httpsOnly)';
    if (!bounded) return null;
    const host = withoutBrackets(new URL(origin).hostname);
    if (isIP(host) !== 0) {
      return isInNetwork(host) ? null : 'has an address outside of discovery.allow.networks';
    }
    return isNamed(host) ? null : 'has a name outside of discovery.allow.names';
  };
}

/** Judges a node by where it is reached: at its address, if it has one, otherwise by its origin. */
export function refusalOf(
  { origin, address }: Pick<Announcement, 'origin' | 'address'>,
  refusal: OriginRefusal,
): string | null {
  if (address === undefined) return refusal(origin);
  const { protocol, port } = new URL(origin);
  const host = address.includes(':') ? `[${address}]` : address;
  return refusal(parseOrigin(`${protocol}//${host}${port === '' ? '' : `:${port}`}`) ?? origin);
}

/** Host names are equal in any case, and with or without a final dot. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
