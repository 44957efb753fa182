import { type ConsulDiscoveryOptions, createConsulDiscovery } from '../discovery/consul/discovery.ts';
import { type Discovery, type LatchParticipant, type MasterRole, ROLES } from '../discovery/discovery.ts';
import { createDnsDiscovery, type DnsDiscoveryOptions } from '../discovery/dns.ts';
import {
  createKubernetesDiscovery,
  type KubernetesDiscovery,
  type KubernetesDiscoveryOptions,
} from '../discovery/kubernetes/discovery.ts';
import type { ConsulFacts, DnsFacts, KubernetesFacts } from './facts.ts';
import type { AnnouncedNode } from './tree-facts.ts';
import { within } from './within.ts';

/** A source other than ZooKeeper and the list of the configuration. */
export type SourceTarget =
  | { readonly kind: 'kubernetes'; readonly options: KubernetesDiscoveryOptions }
  | { readonly kind: 'consul'; readonly options: ConsulDiscoveryOptions }
  | { readonly kind: 'dns'; readonly options: DnsDiscoveryOptions };

/** What a source says of a cluster of Druid, for as long as it is not closed. */
export type AskedSource =
  | (Asked<KubernetesDiscovery> & Extract<SourceTarget, { readonly kind: 'kubernetes' }>)
  | (Asked<Discovery> & Extract<SourceTarget, { readonly kind: 'consul' }>)
  | (Asked<Discovery> & Extract<SourceTarget, { readonly kind: 'dns' }>);

interface Asked<D extends Discovery> {
  readonly discovery: D;
  readonly faults: readonly string[];
}

/** Begins to read as the gateway does. The caller closes `discovery`. */
export function askSource(target: SourceTarget): AskedSource {
  const faults: string[] = [];
  const asked = opened(target, faults);
  asked.discovery.on('fault', (fault) => faults.push(fault));
  asked.discovery.start();
  return asked;
}

function opened(target: SourceTarget, faults: readonly string[]): AskedSource {
  switch (target.kind) {
    case 'kubernetes':
      return { ...target, faults, discovery: createKubernetesDiscovery(target.options) };
    case 'consul':
      return { ...target, faults, discovery: createConsulDiscovery(target.options) };
    case 'dns':
      return { ...target, faults, discovery: createDnsDiscovery(target.options) };
  }
}

/** Waits until everything is read, at most for `ms`. Never rejects. */
export async function untilRead({ discovery }: AskedSource, ms: number): Promise<void> {
  const complete = new Promise<void>((resolve) => {
    const look = (): void => {
      if (discovery.snapshot.complete) resolve();
    };
    discovery.on('snapshot', look);
    look();
  });
  await within(ms, complete, undefined);
}

export function kubernetesFacts(sources: readonly AskedSource[]): KubernetesFacts | null {
  const asked = sources.find((source) => source.kind === 'kubernetes');
  if (asked === undefined) return null;
  const { discovery, faults, options } = asked;
  const { pods } = discovery;
  return {
    server: options.server,
    namespace: options.namespace,
    clusterIdentifier: options.clusterIdentifier,
    problem: problemOf(discovery),
    pods: pods.length,
    notReady: pods.filter(({ ready }) => !ready).map(({ name }) => name),
    faults: [...faults],
  };
}

export function consulFacts(sources: readonly AskedSource[]): ConsulFacts | null {
  const asked = sources.find((source) => source.kind === 'consul');
  if (asked === undefined) return null;
  const { discovery, faults, options } = asked;
  return {
    server: options.server,
    servicePrefix: options.servicePrefix,
    problem: problemOf(discovery),
    nodes: sourceNodes(asked).length,
    faults: [...faults],
  };
}

export function dnsFacts(sources: readonly AskedSource[]): DnsFacts | null {
  const asked = sources.find((source) => source.kind === 'dns');
  if (asked === undefined) return null;
  const { discovery, faults } = asked;
  return { problem: problemOf(discovery), nodes: sourceNodes(asked).length, faults: [...faults] };
}

function problemOf({ snapshot, status }: Discovery): string | null {
  return snapshot.complete ? null : (status.detail ?? 'did not answer in time');
}

/** The nodes that are announced, as far as they were read. */
export function sourceNodes({ discovery }: AskedSource): AnnouncedNode[] {
  const { announcements } = discovery.snapshot;
  return ROLES.flatMap((role) => announcements[role]);
}

/** The address at which a node is reached instead of its name, if a source tells one. */
export function addressFrom(sources: readonly AskedSource[], origin: string): string | null {
  return (
    sources.flatMap(sourceNodes).find((one) => one.origin === origin && one.address !== undefined)?.address ??
    null
  );
}

/** Who leads by the source: one, or nobody; null if it was not read yet. */
export function recordedLeaders(
  { discovery }: AskedSource,
  role: MasterRole,
): readonly LatchParticipant[] | null {
  const { complete, latches } = discovery.snapshot;
  return complete && latches !== null ? (latches?.[role].participants ?? null) : null;
}
