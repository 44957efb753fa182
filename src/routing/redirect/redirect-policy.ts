import type { UpstreamNode } from '../../cluster/node.ts';
import type { Role } from '../../discovery/discovery.ts';
import { createAddressSet } from '../../net/address-set.ts';
import { type AddressRule, createAddressMap } from './address-map.ts';

/** Returns the external origin to redirect a client to, or null to relay. */
export type RedirectPolicy = (
  role: Role,
  method: string,
  clientAddress: string,
  node: UpstreamNode,
) => string | null;

/** `relay`: always through the gateway. `redirect`: always to the node. `auto`: redirect only some clients. */
export type Mode = 'relay' | 'redirect' | 'auto';

export interface RedirectOptions {
  readonly mode: Readonly<Record<Role, Mode>>;
  /** Methods that are redirected; GET includes HEAD. */
  readonly methods: readonly string[];
  /** For `auto`: networks of clients that can reach the nodes. */
  readonly clients: readonly string[];
  /** If empty, redirects use the announced addresses. */
  readonly addresses: readonly AddressRule[];
}

/**
 * Decides which clients are redirected to the node, and to which address. If there are rules but none matches a
 * node, requests to it are relayed, so its internal address is never revealed. Returns null if everything is
 * relayed.
 */
export function createRedirectPolicy(options: RedirectOptions): RedirectPolicy | null {
  const { mode, clients, addresses } = options;
  if (Object.values(mode).every((one) => one === 'relay')) return null;
  const methods = new Set(
    options.methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  );
  const reaches = createAddressSet(clients);
  const map = createAddressMap(addresses);
  return (role, method, clientAddress, node) => {
    const by = mode[role];
    if (by === 'relay' || !methods.has(method)) return null;
    if (by === 'auto' && !reaches(clientAddress)) return null;
    return addresses.length === 0 ? node.origin : map(node.hostAndPort);
  };
}
