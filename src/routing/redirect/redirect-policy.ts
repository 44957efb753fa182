import type { UpstreamNode } from '../../cluster/node.ts';
import type { Role } from '../../discovery/discovery.ts';
import { createAddressSet } from '../../net/address-set.ts';
import { type AddressRule, createAddressMap } from './address-map.ts';

/** The external origin a client is redirected to instead of being relayed, or null. */
export type RedirectPolicy = (
  role: Role,
  method: string,
  clientAddress: string,
  node: UpstreamNode,
) => string | null;

/** `relay`: always through the gateway. `redirect`: to the node itself. `auto`: the latter for some clients only. */
export type Mode = 'relay' | 'redirect' | 'auto';

export interface RedirectOptions {
  readonly mode: Readonly<Record<Role, Mode>>;
  /** Methods that are redirected; HEAD goes with GET. */
  readonly methods: readonly string[];
  /** For `auto`: networks of clients that can reach the nodes. */
  readonly clients: readonly string[];
  /** Without any, nodes are named by their announced addresses. */
  readonly addresses: readonly AddressRule[];
}

/**
 * Who is sent to the node itself, and by which name. A node for which there are rules but none that fits is
 * relayed to, since its announced address is then not for the outside. Null when everything is relayed.
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
