import fc from 'fast-check';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import type { ClusterView, LeaderView } from '../../../src/cluster/view.ts';
import type { MasterRole, Role } from '../../../src/discovery/discovery.ts';

const WHY = ['no_leader', 'leader_initialising', 'leader_unreachable', 'discovery_stale'] as const;

/** Views of small clusters, over the nodes of one process. */
export function arbitraryView(nodes: readonly UpstreamNode[]): fc.Arbitrary<ClusterView> {
  const node = fc.constantFrom(...nodes);
  const leader = (role: MasterRole): fc.Arbitrary<LeaderView> =>
    fc
      .record({
        state: fc.constantFrom('none' as const, 'elected' as const, 'serving' as const),
        node,
        named: fc.boolean(),
        term: fc.option(fc.nat(), { nil: null }),
        knownBy: fc.constantFrom('latch' as const, 'probe' as const, 'both' as const, 'stale' as const),
        since: fc.nat(),
        why: fc.constantFrom(...WHY),
      })
      .map(({ state, named, why, since, ...rest }): LeaderView => {
        if (state === 'serving') return { ...rest, role, since, state, waitReason: null };
        if (state === 'elected') {
          return { ...rest, role, since, state, node: named ? rest.node : null, waitReason: why };
        }
        return { role, since, state, node: null, term: null, knownBy: 'nothing', waitReason: why };
      });
  const broker = fc.record({
    node,
    service: fc.constantFrom('druid/broker', 'druid/broker-hot'),
    ready: fc.boolean(),
    cordoned: fc.boolean(),
    ejected: fc.boolean(),
    why: fc.string(),
  });
  return fc
    .record({
      version: fc.nat(),
      complete: fc.boolean(),
      discovery: fc.record({
        state: fc.constantFrom('connecting' as const, 'connected' as const, 'suspended' as const),
        since: fc.nat(),
        detail: fc.option(fc.string(), { nil: null }),
      }),
      readAt: fc.nat(),
      coordinator: leader('coordinator'),
      overlord: leader('overlord'),
      rivals: fc.record({ coordinator: fc.array(fc.string()), overlord: fc.array(fc.string()) }),
      brokers: fc.uniqueArray(broker, { selector: (one) => one.node.origin }),
      cordoned: fc.uniqueArray(fc.string()),
      roles: fc.array(fc.subarray(['coordinator', 'overlord', 'broker'] satisfies Role[])),
    })
    .map(({ coordinator, overlord, brokers, cordoned, roles, ...plain }) => {
      const services = [...new Set(brokers.map(({ service }) => service))];
      const pool = (service: string): UpstreamNode[] =>
        brokers.filter((one) => one.service === service && one.ready).map((one) => one.node);
      const announced = nodes.map((one, i) => [one.origin, roles[i] ?? []] as const);
      return {
        ...plain,
        leaders: { coordinator, overlord },
        brokers,
        cordoned: new Set(cordoned),
        pools: new Map(services.map((service) => [service, pool(service)])),
        nodes: new Map(nodes.map((one) => [one.origin, one])),
        roles: new Map(announced.filter(([, list]) => list.length > 0)),
      };
    });
}

export function nodesOf(...hosts: string[]): UpstreamNode[] {
  return hosts.map((hostAndPort) => new UpstreamNode(`http://${hostAndPort}`));
}
