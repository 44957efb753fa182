import type { ClusterView } from '../cluster/view.ts';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES } from '../discovery/discovery.ts';
import { formatHostPort } from '../net/host-port.ts';
import { reachedAt, sharedNode } from './shared-view.ts';

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
  const nodes = new Map<string, { target: string; roles: string[]; labels: Record<string, string> }>();
  for (const role of ROLES) {
    for (const { origin, hostAndPort, service, version, address = null, labels = [] } of announcements[
      role
    ]) {
      const known = nodes.get(origin);
      if (known !== undefined) {
        if (!known.roles.includes(role)) known.roles.push(role);
        continue;
      }
      const place = sharedNode({ origin, hostAndPort, address });
      const { node, scheme, host, port } = place;
      const own: Record<string, string> = {};
      for (const [name, value] of labels) own[`__meta_druid_label_${labelName(name)}`] = value;
      nodes.set(origin, {
        target: formatHostPort({ host: reachedAt(place), port }),
        roles: [role],
        labels: {
          ...own,
          __meta_druid_node: node,
          __meta_druid_scheme: scheme,
          __meta_druid_host: bracketed(host),
          __meta_druid_port: String(port),
          __meta_druid_address: bracketed(reachedAt(place)),
          __meta_druid_service: service,
          ...(version === null ? {} : { __meta_druid_version: version }),
        },
      });
    }
  }
  return [...nodes.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([origin, { target, roles, labels }]) => ({
      targets: [target],
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

/** A host as it is written before a port. */
function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Empty for an empty list. */
function list(values: readonly string[]): string {
  return values.length === 0 ? '' : `,${values.join(',')},`;
}

/** The names of Prometheus' labels have letters, digits and underscores. */
function labelName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_');
}
