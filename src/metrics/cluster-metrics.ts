import { Counter, Gauge, type Registry } from 'prom-client';
import type { Cluster, ClusterEvents } from '../cluster/cluster.ts';
import type { NodeTotals } from '../cluster/node-traffic.ts';
import type { LeaderState, LeaderView } from '../cluster/view.ts';
import { MASTER_ROLES, type MasterRole } from '../discovery/discovery.ts';

const STATE_NUMBER: Readonly<Record<LeaderState, number>> = { none: 0, elected: 1, serving: 2 };

interface Options {
  readonly registry: Registry;
  readonly cluster: Cluster;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * Registers the metrics of leaders and nodes. Gauges read the view at each scrape, so the labels of a departed node
 * disappear with it. Returns a function that removes the listeners.
 */
export function clusterMetrics({ registry, cluster, now }: Options): () => void {
  const registers = [registry];
  leaderGauges(registers, cluster, now);
  rivalGauge(registers, cluster);
  nodeGauges(registers, cluster);
  brokerCounters(registers, cluster);
  const changes = new Counter({
    name: 'druid_gateway_leader_changes_total',
    help: 'Times another process, or the same one with a new term, became leader; the first one seen not counted.',
    labelNames: ['role'],
    registers,
  });
  const conflicts = new Counter({
    name: 'druid_gateway_leader_conflicts_total',
    help: 'Times a node claimed to lead while the latch named another.',
    labelNames: ['role'],
    registers,
  });
  const ejections = new Counter({
    name: 'druid_gateway_broker_ejections_total',
    help: 'Times a Broker was left out for a while because its requests failed.',
    registers,
  });
  const last = new Map<MasterRole, LeaderView>();
  for (const role of MASTER_ROLES) {
    changes.inc({ role }, 0);
    conflicts.inc({ role }, 0);
    const leader = cluster.view.leaders[role];
    if (leader.node !== null) last.set(role, leader);
  }
  const onView = (): void => {
    for (const role of MASTER_ROLES) {
      const leader = cluster.view.leaders[role];
      if (leader.node === null) continue;
      const before = last.get(role);
      last.set(role, leader);
      if (before !== undefined && succeeds(leader, before)) changes.inc({ role });
    }
  };
  const onConflict = ({ role }: ClusterEvents['conflict'][0]): void => conflicts.inc({ role });
  const onEjection = (): void => ejections.inc();
  cluster.on('view', onView);
  cluster.on('conflict', onConflict);
  cluster.on('ejection', onEjection);
  return () => {
    cluster.off('view', onView);
    cluster.off('conflict', onConflict);
    cluster.off('ejection', onEjection);
  };
}

/** A term that becomes known or unknown (the latch was read, or lost) is no change of leader. */
function succeeds(leader: LeaderView, before: LeaderView): boolean {
  if (leader.node?.origin !== before.node?.origin) return true;
  return leader.term !== null && before.term !== null && leader.term !== before.term;
}

function leaderGauges(registers: Registry[], cluster: Cluster, now: () => number): void {
  const perRole = (name: string, help: string, value: (leader: LeaderView) => number | null): void => {
    new Gauge({
      name,
      help,
      labelNames: ['role'],
      registers,
      collect() {
        this.reset();
        for (const role of MASTER_ROLES) {
          const reading = value(cluster.view.leaders[role]);
          if (reading !== null) this.set({ role }, reading);
        }
      },
    });
  };
  perRole(
    'druid_gateway_leader_state',
    '0 no leader, 1 elected, 2 serving.',
    (leader) => STATE_NUMBER[leader.state],
  );
  perRole(
    'druid_gateway_leader_term',
    'Sequence number of the leader’s latch node.',
    (leader) => leader.term,
  );
  perRole(
    'druid_gateway_leader_age_seconds',
    'Since when the leader’s node, state and term are what they are.',
    (leader) => Math.max(0, now() - leader.since) / 1000,
  );
}

function rivalGauge(registers: Registry[], cluster: Cluster): void {
  new Gauge({
    name: 'druid_gateway_rival_leaders',
    help: 'Nodes that say right now that they lead while another one does; anything but 0 is an alarm.',
    labelNames: ['role'],
    registers,
    collect() {
      for (const role of MASTER_ROLES) this.set({ role }, cluster.view.rivals[role].length);
    },
  });
}

/** Three series for each announced Broker: a histogram for each would be fifteen more. */
function brokerCounters(registers: Registry[], cluster: Cluster): void {
  const perBroker = (name: string, help: string, value: (totals: NodeTotals) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['role', 'service', 'node'],
      registers,
      collect() {
        this.reset();
        for (const { node, service } of cluster.view.brokers) {
          this.inc({ role: 'broker', service, node: node.hostAndPort }, value(node.traffic.totals));
        }
      },
    });
  };
  perBroker(
    'druid_gateway_upstream_attempts_total',
    'Attempts at a Broker that were answered or failed; those that a client gave up before are not counted.',
    ({ attempts }) => attempts,
  );
  perBroker(
    'druid_gateway_upstream_errors_total',
    'Attempts at a Broker without an answer, with one of status 500 or more, or with one that broke off.',
    ({ errors }) => errors,
  );
  perBroker(
    'druid_gateway_upstream_latency_seconds_total',
    'Time from sending to a Broker until the head of its answer, all attempts together.',
    ({ latencyMs }) => latencyMs / 1000,
  );
}

function nodeGauges(registers: Registry[], cluster: Cluster): void {
  new Gauge({
    name: 'druid_gateway_upstream_up',
    help: '1 for a Broker that gets new queries, 0 for one that is announced and does not.',
    labelNames: ['role', 'service', 'node'],
    registers,
    collect() {
      this.reset();
      for (const { node, service, ready } of cluster.view.brokers) {
        this.set({ role: 'broker', service, node: node.hostAndPort }, ready ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'druid_gateway_upstream_cordoned',
    help: '1 for a Broker that an operator has taken out.',
    labelNames: ['role', 'service', 'node'],
    registers,
    collect() {
      this.reset();
      for (const { node, service, cordoned } of cluster.view.brokers) {
        this.set({ role: 'broker', service, node: node.hostAndPort }, cordoned ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'druid_gateway_upstream_outstanding',
    help: 'Requests sent to a node and not yet answered to the end.',
    labelNames: ['node'],
    registers,
    collect() {
      this.reset();
      for (const node of cluster.view.nodes.values()) this.set({ node: node.hostAndPort }, node.outstanding);
    },
  });
  new Gauge({
    name: 'druid_gateway_view_complete',
    help: '1 once discovery has been read whole; the gateway is not ready before.',
    registers,
    collect() {
      this.set(cluster.view.complete ? 1 : 0);
    },
  });
}
