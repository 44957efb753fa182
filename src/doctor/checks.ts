import { AVAILABILITY_CHECKS } from './availability-checks.ts';
import type { Check, SourceFacts } from './check.ts';
import { CONSUL_CHECKS } from './consul-checks.ts';
import { DNS_CHECKS } from './dns-checks.ts';
import { GATEWAY_CHECKS } from './gateway-checks.ts';
import { KUBERNETES_CHECKS } from './kubernetes-checks.ts';
import { LEADERSHIP_CHECKS } from './leadership-checks.ts';
import { NODE_CHECKS } from './node-checks.ts';
import { STORE_CHECKS } from './store/store-checks.ts';
import { ZOOKEEPER_CHECKS } from './zookeeper-checks.ts';

/** A group of checks; the first part of their ids is its name. */
export interface CheckGroup {
  readonly name: string;
  readonly title: string;
  /** For all of its checks, as `Check.about`. */
  readonly about?: SourceFacts;
  readonly checks: readonly Check[];
}

/** All checks in the order of the report. A new check goes at the end of its group, since numbers count from the first. */
export const GROUPS: readonly CheckGroup[] = [
  { name: 'zk', title: 'ZooKeeper', about: 'zookeeper', checks: ZOOKEEPER_CHECKS },
  { name: 'node', title: 'Nodes', checks: NODE_CHECKS },
  { name: 'lead', title: 'Leadership', checks: LEADERSHIP_CHECKS },
  { name: 'ha', title: 'High availability', checks: [...AVAILABILITY_CHECKS, ...STORE_CHECKS] },
  { name: 'gw', title: 'Gateway', checks: GATEWAY_CHECKS },
  { name: 'k8s', title: 'Kubernetes', about: 'kubernetes', checks: KUBERNETES_CHECKS },
  { name: 'consul', title: 'Consul', about: 'consul', checks: CONSUL_CHECKS },
  { name: 'dns', title: 'DNS', about: 'dns', checks: DNS_CHECKS },
];

/** Returns the ids that a word of `--skip` means: a check, or a group as `ha` or `ha.*`; empty for what is neither. */
export function idsOf(word: string): string[] {
  const group = GROUPS.find(({ name }) => word === name || word === `${name}.*`);
  if (group !== undefined) return group.checks.map(({ id }) => id);
  return GROUPS.flatMap(({ checks }) => checks.map(({ id }) => id)).filter((id) => id === word);
}
