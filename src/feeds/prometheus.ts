import type { ClusterView } from '../cluster/view.ts';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES } from '../discovery/discovery.ts';
import { sharedNode } from './shared-view.ts';

/** One element of the list that Prometheus' `http_sd_config` reads. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The announced nodes as targets of Prometheus, each once, in the order of their origins. Lists are written as
 * Prometheus' own discoveries write them, with a comma on both sides, so that `.*,broker,.*` finds one.
 */
export function prometheusTargets(view: ClusterView, { announcements }: DiscoverySnapshot): TargetGroup[] {
  const nodes = new Map<string, { roles: string[]; labels: Record<string, string> }>();
  for (const role of ROLES) {
    for (const { origin, hostAndPort, service, version, labels = [] } of announcements[role]) {
      const known = nodes.get(origin);
      if (known !== undefined) {
        if (!known.roles.includes(role)) known.roles.push(role);
        continue;
      }
      const { node, scheme, host, port } = sharedNode({ origin, hostAndPort });
      const own: Record<string, string> = {};
      for (const [name, value] of labels) own[`__meta_druid_label_${labelName(name)}`] = value;
      nodes.set(origin, {
        roles: [role],
        labels: {
          ...own,
          __meta_druid_node: node,
          __meta_druid_scheme: scheme,
          // As it is written before a port.
          __meta_druid_host: host.includes(':') ? `[${host}]` : host,
          __meta_druid_port: String(port),
          __meta_druid_service: service,
          ...(version === null ? {} : { __meta_druid_version: version }),
        },
      });
    }
  }
  return [...nodes.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([origin, { roles, labels }]) => ({
      targets: [labels.__meta_druid_node ?? ''],
      labels: {
        ...labels,
        __meta_druid_role: roles[0] ?? '',
        __meta_druid_roles: list(roles),
        __meta_druid_leads: list(
          MASTER_ROLES.filter((role) => {
            const leader = view.leaders[role];
            return leader.state === 'serving' && leader.node.origin === origin;
          }),
        ),
      },
    }));
}

/** Empty for an empty list. */
function list(values: readonly string[]): string {
  return values.length === 0 ? '' : `,${values.join(',')},`;
}

/** The names of Prometheus' labels have letters, digits and underscores. */
function labelName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_');
}
