import { BlockList, isIPv6 } from 'node:net';

/** Whether an address (IPv4, or IPv6 without brackets) belongs to one of the networks. */
export type AddressSet = (address: string) => boolean;

/**
 * Creates a set from addresses and networks such as `10.0.0.0/8` or `fd00::/8`. The configuration has checked them;
 * throws on an invalid one.
 */
export function createAddressSet(networks: readonly string[]): AddressSet {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
