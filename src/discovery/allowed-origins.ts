import { isIP } from 'node:net';
import { createAddressSet } from '../net/address-set.ts';

export interface AllowedOrigins {
  /** Addresses and networks, for nodes that announce addresses. */
  readonly networks: readonly string[];
  /** Host names, or with a dot first the ends of such, for nodes that announce names. */
  readonly names: readonly string[];
  readonly httpsOnly: boolean;
}

/** Why a node may not be used, as the end of a sentence; null where it may. */
export type OriginRefusal = (origin: string) => string | null;

/**
 * What the source of discovery may name. Where networks or names are given, what is in neither is refused: whoever can
 * write to ZooKeeper could otherwise have clients' credentials sent wherever they like. Takes origins as `parseOrigin`
 * yields them. Names are not resolved.
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
    const host = new URL(origin).hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) {
      return isInNetwork(host) ? null : 'has an address outside of discovery.allow.networks';
    }
    return isNamed(host) ? null : 'has a name outside of discovery.allow.names';
  };
}

/** Names are the same in any case, and with a dot at the end. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
