import type { UpstreamNode } from '../../../src/cluster/node.ts';
import type { BrokerView } from '../../../src/cluster/view.ts';
import type { Announcement, DiscoverySnapshot, Role } from '../../../src/discovery/discovery.ts';
import { EMPTY_SNAPSHOT } from '../../../src/discovery/discovery.ts';

/** A Broker of a view, ready unless the test says otherwise. */
export function broker(node: UpstreamNode, change: Partial<BrokerView> = {}): BrokerView {
  return {
    node,
    service: 'druid/broker',
    ready: true,
    cordoned: false,
    ejected: false,
    why: 'announced and ready',
    ...change,
  };
}

/** An announcement as discovery reads it. */
export function announced(role: Role, origin: string, change: Partial<Announcement> = {}): Announcement {
  const hostAndPort = origin.slice(origin.indexOf('//') + 2);
  return { role, origin, hostAndPort, service: `druid/${role}`, version: null, ...change };
}

/** A complete snapshot of what is announced. */
export function snapshotOf(...announcements: Announcement[]): DiscoverySnapshot {
  const of = (role: Role) => announcements.filter((announcement) => announcement.role === role);
  return {
    ...EMPTY_SNAPSHOT,
    complete: true,
    announcements: { coordinator: of('coordinator'), overlord: of('overlord'), broker: of('broker') },
  };
}
