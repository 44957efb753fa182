import { type LatchParticipant, type MasterRole, ROLES } from '../discovery/discovery.ts';
import {
  createKubernetesDiscovery,
  type KubernetesDiscovery,
  type KubernetesDiscoveryOptions,
} from '../discovery/kubernetes/discovery.ts';
import type { KubernetesFacts } from './facts.ts';
import type { AnnouncedNode } from './tree-facts.ts';
import { within } from './within.ts';

export type KubernetesTarget = KubernetesDiscoveryOptions;

/** What the API says of a cluster of Druid, for as long as it is not closed. */
export interface AskedKubernetes {
  readonly discovery: KubernetesDiscovery;
  readonly faults: readonly string[];
  readonly target: KubernetesTarget;
}

/** Begins to read as the gateway does. The caller closes `discovery`. */
export function askKubernetes(target: KubernetesTarget): AskedKubernetes {
  const discovery = createKubernetesDiscovery(target);
  const faults: string[] = [];
  discovery.on('fault', (fault) => faults.push(fault));
  discovery.start();
  return { discovery, faults, target };
}

/** Waits until everything is read, at most for `ms`. Never rejects. */
export async function readKubernetes(asked: AskedKubernetes, ms: number): Promise<KubernetesFacts> {
  const { discovery, faults, target } = asked;
  const complete = new Promise<void>((resolve) => {
    const look = (): void => {
      if (discovery.snapshot.complete) resolve();
    };
    discovery.on('snapshot', look);
    look();
  });
  await within(ms, complete, undefined);
  const { snapshot, status, pods } = discovery;
  const problem = snapshot.complete ? null : (status.detail ?? 'did not answer in time');
  return {
    server: target.server,
    namespace: target.namespace,
    clusterIdentifier: target.clusterIdentifier,
    problem,
    pods: pods.length,
    notReady: pods.filter(({ ready }) => !ready).map(({ name }) => name),
    faults: [...faults],
  };
}

/** The nodes that are announced, as far as they were read. */
export function podNodes({ discovery }: AskedKubernetes): AnnouncedNode[] {
  const { announcements } = discovery.snapshot;
  return ROLES.flatMap((role) => announcements[role]);
}

/** The address at which a node is reached instead of its name, if it is one. */
export function podAddress({ discovery }: AskedKubernetes, origin: string): string | null {
  const { announcements } = discovery.snapshot;
  for (const role of ROLES) {
    const node = announcements[role].find((one) => one.origin === origin);
    if (node !== undefined) return node.address ?? null;
  }
  return null;
}

/** Who leads by the record: one, or nobody; null if it was not read yet. */
export function recordedLeaders(
  { discovery }: AskedKubernetes,
  role: MasterRole,
): readonly LatchParticipant[] | null {
  const { complete, latches } = discovery.snapshot;
  return complete ? (latches?.[role].participants ?? null) : null;
}
