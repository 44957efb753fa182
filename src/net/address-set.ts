import { BlockList, isIPv6 } from 'node:net';

/** Whether an address (IPv4, or IPv6 without brackets) is in one of these networks. */
export type AddressSet = (address: string) => boolean;

/** From addresses and networks such as `10.0.0.0/8` or `fd00::/8`, which the configuration has checked. */
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
