import { type Discovery, MASTER_ROLES, type MasterRole, ROLES, type Role } from '../discovery/discovery.ts';
import { ContainedEmitter, contain, type InternalErrors } from '../faults/internal-errors.ts';
import { type BrokerHealth, createBrokers } from './brokers/brokers.ts';
import type { Cluster, ClusterEvents } from './cluster.ts';
import { distrust, type Leadership, nextLeadership, noLeader, rivals } from './leadership/leadership.ts';
import { createMasters, type Masters } from './leadership/masters.ts';
import type { NodeOutcome, NodeTls, UpstreamNode } from './node.ts';
import { createNodes } from './nodes.ts';
import { createProbeClient, type ProbeClient, type ProbeClientOptions } from './probe.ts';
import type { ClusterView } from './view.ts';

export interface ClusterOptions {
  readonly discovery: Discovery;
  /** Milliseconds between probes of a serving leader. */
  readonly leaderProbeIntervalMs: number;
  /** Milliseconds between probes of an elected leader that does not serve yet. */
  readonly leaderConfirmIntervalMs: number;
  readonly leaderProbeTimeoutMs: number;
  readonly brokerProbeTimeoutMs: number;
  readonly brokerHealth: BrokerHealth;
  readonly tls?: NodeTls;
  /** Receives errors of the gateway's own code. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
  /** Makes the probe clients; by default those on `node:http`. */
  readonly probeClient?: (options: ProbeClientOptions) => ProbeClient;
  /** Replaces the real probe clients in tests. */
  readonly probes?: { readonly leaders: ProbeClient; readonly brokers: ProbeClient };
}

/** Probe interval of masters that do not lead. It serves only to notice one that claims to lead. */
const RIVAL_INTERVAL_MS = 10_000;
/** For up to 3 s after a swap, a thawed former leader still claims to lead. That is no conflict yet. */
const SWAP_GRACE_MS = 3_000;
const CONFLICT_REPEAT_MS = 60_000;
/** Shortest interval between the extra probes of a leader that refuses requests. */
const DOUBT_INTERVAL_MS = 250;
const NO_RIVALS: readonly string[] = [];

/** Creates the cluster from discovery and probes; see `Cluster`. Call `start` to begin. */
export function createCluster(options: ClusterOptions): Cluster {
  return new DiscoveredCluster(options);
}

class DiscoveredCluster extends ContainedEmitter<ClusterEvents> implements Cluster {
  readonly #options: ClusterOptions;
  readonly #now: () => number;
  readonly #nodes = createNodes();
  readonly #leaderProbes: ProbeClient;
  readonly #brokerProbes: ProbeClient;
  readonly #leaderships: Record<MasterRole, Leadership>;
  readonly #masters: Record<MasterRole, Masters>;
  readonly #brokers;
  readonly #conflictsAt = new Map<string, number>();
  readonly #doubtedAt = new Map<MasterRole, number>();
  readonly #rivals: Record<MasterRole, readonly string[]> = { coordinator: NO_RIVALS, overlord: NO_RIVALS };
  readonly #onDiscovery = (): void => this.#follow();
  /** Nothing has changed but the age of the view. */
  readonly #onRead = (): void => this.#guarded(() => this.#publish());
  #clock = 0;
  #view: ClusterView;

  constructor(options: ClusterOptions) {
    super((error) => options.errors.report('discovery', error));
    this.setMaxListeners(0);
    this.#options = options;
    const { discovery, tls, now = Date.now, random = Math.random, probes } = options;
    const { probeClient = createProbeClient } = options;
    const probing = {
      ...(tls === undefined ? {} : { tls }),
      onTlsFault: (origin: string, why: string) => void this.emit('tlsFault', { origin, why }),
      addressOf: (origin: string) => this.#nodes.get(origin)?.address ?? null,
    };
    this.#now = now;
    this.#leaderProbes =
      probes?.leaders ?? probeClient({ timeoutMs: options.leaderProbeTimeoutMs, ...probing });
    this.#brokerProbes =
      probes?.brokers ?? probeClient({ timeoutMs: options.brokerProbeTimeoutMs, ...probing });
    this.#leaderships = {
      coordinator: noLeader('coordinator', now()),
      overlord: noLeader('overlord', now()),
    };
    const masters = (role: MasterRole): Masters =>
      createMasters({
        role,
        probe: this.#leaderProbes.probe,
        stamp: this.#stamp,
        random,
        interval: (node) => this.#interval(role, node),
        needsName: () => discovery.snapshot.latches === null || discovery.status.state !== 'connected',
        onResult: () => this.#decide(role),
        errors: options.errors,
      });
    this.#masters = { coordinator: masters('coordinator'), overlord: masters('overlord') };
    this.#brokers = createBrokers({
      probe: this.#brokerProbes.probe,
      health: options.brokerHealth,
      random,
      now,
      nodeAt: (origin) => this.#nodes.at(origin),
      onChange: () => this.#publish(),
      onEjection: (ejection) => void this.emit('ejection', ejection),
      errors: options.errors,
    });
    this.#view = this.#compose(1);
  }

  get view(): ClusterView {
    return this.#view;
  }

  start(): void {
    const { discovery } = this.#options;
    discovery.on('snapshot', this.#onDiscovery);
    discovery.on('status', this.#onDiscovery);
    discovery.on('read', this.#onRead);
    this.#follow();
  }

  async close(): Promise<void> {
    const { discovery } = this.#options;
    discovery.off('snapshot', this.#onDiscovery);
    discovery.off('status', this.#onDiscovery);
    discovery.off('read', this.#onRead);
    for (const role of MASTER_ROLES) this.#masters[role].stop();
    this.#brokers.stop();
    await Promise.all([this.#leaderProbes.close(), this.#brokerProbes.close()]);
  }

  report(node: UpstreamNode, outcome: NodeOutcome): void {
    this.#brokers.report(node, outcome);
    if (outcome === 'ok') return;
    for (const role of MASTER_ROLES) {
      const before = this.#leaderships[role];
      if (before.view.node !== node) continue;
      if (outcome === 'unavailable' && before.view.state === 'serving') {
        this.#doubt(role, node);
        continue;
      }
      const reason =
        outcome === 'connect_failed' || outcome === 'reset' ? 'leader_unreachable' : 'leader_initialising';
      this.#settle(role, distrust(before, reason, this.#now(), this.#stamp));
      this.#masters[role].hurry(node);
    }
  }

  /** A serving leader that refuses a request may only be overloaded. It serves until its `isLeader` says no. */
  #doubt(role: MasterRole, node: UpstreamNode): void {
    const now = this.#now();
    if (now - (this.#doubtedAt.get(role) ?? Number.NEGATIVE_INFINITY) < DOUBT_INTERVAL_MS) return;
    this.#doubtedAt.set(role, now);
    this.#masters[role].hurry(node);
  }

  cordon(hostAndPort: string, cordoned: boolean): void {
    this.#brokers.cordon(hostAndPort, cordoned);
  }

  readonly #stamp = (): number => ++this.#clock;

  #interval(role: MasterRole, node: UpstreamNode): number {
    const { leaderProbeIntervalMs, leaderConfirmIntervalMs, discovery } = this.#options;
    const { view } = this.#leaderships[role];
    if (view.node === node) return view.state === 'serving' ? leaderProbeIntervalMs : leaderConfirmIntervalMs;
    const byLatch = discovery.snapshot.latches !== null && discovery.status.state === 'connected';
    if (byLatch) return RIVAL_INTERVAL_MS;
    // No latch says who leads, so all masters are probed; more often while there is no leader.
    return view.state === 'serving' ? leaderProbeIntervalMs : Math.max(leaderConfirmIntervalMs, 250);
  }

  /** Applies what discovery reports now. An error in one part does not keep the other parts from being applied. */
  #follow(): void {
    this.#guarded(() => this.#followAddresses());
    for (const role of MASTER_ROLES) this.#guarded(() => this.#followMasters(role));
    this.#guarded(() => this.#brokers.announce(this.#options.discovery.snapshot.announcements.broker));
    this.#guarded(() => this.#publish());
  }

  /** A node that is not announced any more is still reached where it was. */
  #followAddresses(): void {
    const { announcements } = this.#options.discovery.snapshot;
    for (const role of ROLES) {
      for (const { origin, address } of announcements[role]) this.#nodes.at(origin).reachAt(address ?? null);
    }
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('discovery', error));
  }

  #followMasters(role: MasterRole): void {
    const { snapshot, status } = this.#options.discovery;
    const origins = new Set(snapshot.announcements[role].map((a) => a.origin));
    for (const { origin } of snapshot.latches?.[role].participants ?? [])
      if (origin !== null) origins.add(origin);
    this.#decide(role);
    this.#masters[role].watch(new Set([...origins].map((origin) => this.#nodes.at(origin))));
    const { node } = this.#leaderships[role].view;
    const unsettled = this.#leaderships[role].view.state !== 'serving';
    if (status.state !== 'connected') this.#masters[role].hurry();
    else if (unsettled && node !== null) this.#masters[role].hurry(node);
  }

  #decide(role: MasterRole): void {
    const { snapshot, status } = this.#options.discovery;
    const { results } = this.#masters[role];
    const next = nextLeadership(this.#leaderships[role], {
      role,
      latch: snapshot.latches?.[role] ?? null,
      source: status.state,
      complete: snapshot.complete,
      probes: results,
      nodeAt: (origin) => this.#nodes.at(origin),
      now: this.#now(),
      stamp: this.#stamp,
    });
    this.#settle(role, next);
    this.#lookForRivals(role);
  }

  #settle(role: MasterRole, next: Leadership): void {
    const before = this.#leaderships[role];
    if (next === before) return;
    this.#leaderships[role] = next;
    if (next.view === before.view) return;
    this.#publish();
    const { state, node, term } = before.view;
    if (state !== next.view.state || node !== next.view.node || term !== next.view.term) {
      this.emit('leader', before.view, next.view);
    }
  }

  #lookForRivals(role: MasterRole): void {
    const { view, confirmAfter } = this.#leaderships[role];
    const now = this.#now();
    const settled = view.state === 'serving' && now - view.since >= SWAP_GRACE_MS;
    const found = settled ? rivals(view, this.#masters[role].results, confirmAfter) : NO_RIVALS;
    if (found.join() !== this.#rivals[role].join()) {
      this.#rivals[role] = found;
      this.#publish();
    }
    if (view.node === null) return;
    for (const claims of found) {
      const key = `${role} ${claims}`;
      if (now - (this.#conflictsAt.get(key) ?? Number.NEGATIVE_INFINITY) < CONFLICT_REPEAT_MS) continue;
      this.#conflictsAt.set(key, now);
      this.emit('conflict', { role, latch: view.node.origin, claims });
    }
  }

  #publish(): void {
    this.#view = this.#compose(this.#view.version + 1);
    this.#leaderProbes.retain?.(this.#view.nodes);
    this.#brokerProbes.retain?.(this.#view.nodes);
    this.emit('view', this.#view);
  }

  #compose(version: number): ClusterView {
    const { snapshot, status } = this.#options.discovery;
    const nodes = new Map<string, UpstreamNode>();
    const roles = new Map<string, Role[]>();
    for (const role of ROLES) {
      for (const { origin } of snapshot.announcements[role]) {
        nodes.set(origin, this.#nodes.at(origin));
        roles.set(origin, [...(roles.get(origin) ?? []), role]);
      }
    }
    for (const role of MASTER_ROLES) {
      for (const { origin } of snapshot.latches?.[role].participants ?? []) {
        if (origin !== null) nodes.set(origin, this.#nodes.at(origin));
      }
      const { node } = this.#leaderships[role].view;
      if (node !== null) nodes.set(node.origin, node);
    }
    this.#nodes.retain(new Set(nodes.keys()));
    return {
      version,
      complete: snapshot.complete,
      discovery: status,
      readAt: snapshot.readAt,
      leaders: { coordinator: this.#leaderships.coordinator.view, overlord: this.#leaderships.overlord.view },
      rivals: { ...this.#rivals },
      brokers: this.#brokers.views,
      pools: this.#brokers.pools,
      cordoned: this.#brokers.cordoned,
      nodes,
      roles,
    };
  }
}
