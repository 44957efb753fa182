import type { Announcement } from '../../discovery/discovery.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { createPoller, type Poller } from '../../time/poller.ts';
import type { NodeOutcome, UpstreamNode } from '../node.ts';
import type { Probe } from '../probe.ts';
import type { BrokerView } from '../view.ts';
import {
  afterFailure,
  afterSuccess,
  ejected,
  HEALTHY,
  type OutlierLimits,
  type OutlierState,
  shouldEject,
} from './outlier.ts';
import { composePools, floorOf } from './pools.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { createSlowStart } from './slow-start.ts';

/** What probes change of more Brokers than these is shown together, so often: showing looks at every Broker. */
const FEW = 100;
const GATHER_MS = 100;
/** While it is not ready it is asked more often than while it is. */
const NOT_READY_INTERVAL_MS = 500;

export interface BrokerHealth {
  readonly probeIntervalMs: number;
  readonly outlier: OutlierLimits;
  /** The largest part of the ready Brokers of a service that may be out at once. */
  readonly maxEjectedShare: number;
  /** How long a Broker that has just come, or come back, gets less than its share, in milliseconds. */
  readonly slowStartMs: number;
  /** How long the last known Brokers stay after discovery has none at all, in milliseconds. */
  readonly emptyGraceMs: number;
}

export interface Ejection {
  readonly node: UpstreamNode;
  readonly failures: number;
  readonly durationMs: number;
}

export interface BrokersOptions {
  readonly probe: Probe;
  readonly health: BrokerHealth;
  readonly random: () => number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly nodeAt: (origin: string) => UpstreamNode;
  readonly onChange: () => void;
  readonly onEjection: (ejection: Ejection) => void;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
}

interface Broker {
  readonly node: UpstreamNode;
  readonly readiness: Readiness;
  service: string;
  ready: boolean;
  why: string;
  poller: Poller | null;
  /** Counts reports: a probe that was under way when a request failed proves nothing. */
  reportCount: number;
  outlierState: OutlierState;
  /** Ends its ejection. */
  ejectionTimer: NodeJS.Timeout | null;
  /** It was there when the gateway came and has long been warm. */
  presentAtStart: boolean;
}

/** Which announced Brokers get queries: those that say they are ready and treat their requests well. */
export interface Brokers {
  readonly views: readonly BrokerView[];
  readonly pools: ReadonlyMap<string, readonly UpstreamNode[]>;
  announce(announcements: readonly Announcement[]): void;
  report(node: UpstreamNode, outcome: NodeOutcome): void;
  readonly cordoned: ReadonlySet<string>;
  /** Takes the Broker at this `host:port` out, or back in; holds while it leaves discovery and comes back. */
  cordon(hostAndPort: string, cordoned: boolean): void;
  stop(): void;
}

export function createBrokers(options: BrokersOptions): Brokers {
  const { probe, health, random, now, nodeAt, onChange, onEjection, errors } = options;
  const { outlier, maxEjectedShare } = health;
  const brokers = new Map<UpstreamNode, Broker>();
  const cordoned = new Set<string>();
  const onError = (error: unknown): void => errors.report('probe', error);
  const slowStart = createSlowStart(health.slowStartMs, now, onError);
  let views: readonly BrokerView[] = [];
  let pools: ReadonlyMap<string, readonly UpstreamNode[]> = new Map();
  let active = new Set<UpstreamNode>();
  let first = true;
  let emptyGraceTimer: NodeJS.Timeout | null = null;
  let gathering: NodeJS.Timeout | null = null;

  const isOut = (broker: Broker): boolean => broker.ejectionTimer !== null;
  const isCordoned = ({ node }: Broker): boolean => cordoned.has(node.hostAndPort);

  function publish(): void {
    if (gathering !== null) clearTimeout(gathering);
    gathering = null;
    const all = [...brokers.values()];
    pools = composePools(
      all.map((broker) => ({
        node: broker.node,
        service: broker.service,
        ready: broker.ready,
        ejected: isOut(broker),
        cordoned: isCordoned(broker),
      })),
      maxEjectedShare,
    );
    const chosen = new Set([...pools.values()].flat());
    startSlow(chosen);
    views = all.map((broker) => ({
      node: broker.node,
      service: broker.service,
      ready: chosen.has(broker.node),
      cordoned: isCordoned(broker),
      ejected: isOut(broker),
      why: why(broker, chosen.has(broker.node)),
    }));
    onChange();
  }

  function publishSoon(): void {
    if (brokers.size <= FEW) publish();
    else gathering ??= setTimeout(() => contain(publish, onError), GATHER_MS);
  }

  /** Those who are new among the chosen start slowly, unless there is nobody to take the rest of their share. */
  function startSlow(chosen: Set<UpstreamNode>): void {
    const alone = active.size === 0;
    for (const node of active) if (!chosen.has(node)) slowStart.end(node);
    for (const node of chosen) {
      if (active.has(node)) continue;
      const broker = brokers.get(node);
      if (broker?.presentAtStart === false && !alone) slowStart.begin(node);
      if (broker !== undefined) broker.presentAtStart = false;
    }
    active = chosen;
  }

  function why(broker: Broker, chosen: boolean): string {
    if (isCordoned(broker)) return 'cordoned by an operator';
    if (!broker.ready || !isOut(broker)) return broker.why;
    return chosen
      ? 'its requests failed, but so did those of too many others'
      : 'ejected: its requests failed';
  }

  /** Whether that is news. */
  function settle(broker: Broker, ready: boolean, reason: string): boolean {
    if (broker.ready === ready && broker.why === reason) return false;
    broker.ready = ready;
    broker.why = reason;
    return true;
  }

  async function ask(broker: Broker): Promise<void> {
    const { node, reportCount } = broker;
    const { ready, why: reason } = await broker.readiness.ask();
    if (brokers.get(node) !== broker) return;
    if (broker.reportCount !== reportCount) return broker.poller?.pollNow();
    if (settle(broker, ready, reason)) publishSoon();
  }

  function add(node: UpstreamNode, service: string): void {
    const broker: Broker = {
      node,
      readiness: createReadiness(probe, node.origin, now),
      service,
      ready: false,
      why: 'announced, not asked yet',
      poller: null,
      reportCount: 0,
      outlierState: HEALTHY,
      ejectionTimer: null,
      presentAtStart: first,
    };
    brokers.set(node, broker);
    broker.poller = createPoller({
      ask: () => ask(broker),
      interval: () =>
        broker.ready ? health.probeIntervalMs : Math.min(health.probeIntervalMs, NOT_READY_INTERVAL_MS),
      random,
      errors,
    });
  }

  function remove(broker: Broker): void {
    broker.poller?.stop();
    if (broker.ejectionTimer !== null) clearTimeout(broker.ejectionTimer);
    brokers.delete(broker.node);
  }

  function replace(announced: ReadonlyMap<UpstreamNode, string>): void {
    let changed = false;
    for (const [node, broker] of brokers) {
      if (announced.has(node)) continue;
      remove(broker);
      changed = true;
    }
    for (const [node, service] of announced) {
      const existing = brokers.get(node);
      if (existing?.service === service) continue;
      if (existing === undefined) add(node, service);
      else existing.service = service;
      changed = true;
    }
    if (announced.size > 0) first = false;
    if (changed) publish();
  }

  function eject(broker: Broker): void {
    const peers = [...brokers.values()].filter(
      (peer) => peer.service === broker.service && peer.ready && !isCordoned(peer),
    );
    const behaving = peers.filter((peer) => !isOut(peer) && peer !== broker).length;
    if (behaving < floorOf(peers.length, maxEjectedShare)) return;
    const { failures } = broker.outlierState;
    const time = now();
    broker.outlierState = ejected(broker.outlierState, time, outlier);
    const durationMs = broker.outlierState.until - time;
    broker.ejectionTimer = setTimeout(() => {
      broker.ejectionTimer = null;
      contain(publish, onError);
    }, durationMs);
    publish();
    onEjection({ node: broker.node, failures, durationMs });
  }

  return {
    get views() {
      return views;
    },
    get pools() {
      return pools;
    },
    get cordoned() {
      return cordoned;
    },
    announce(announcements) {
      if (emptyGraceTimer !== null) clearTimeout(emptyGraceTimer);
      emptyGraceTimer = null;
      // None at all is more often a fault of ZooKeeper's or of whoever writes to it than the truth; those that
      // have really gone do not pass their probes.
      if (announcements.length === 0 && brokers.size > 0) {
        emptyGraceTimer = setTimeout(() => contain(() => replace(new Map()), onError), health.emptyGraceMs);
        return;
      }
      replace(new Map(announcements.map((a) => [nodeAt(a.origin), a.service])));
    },
    report(node, outcome) {
      const broker = brokers.get(node);
      if (broker === undefined) return;
      if (outcome === 'ok') {
        broker.outlierState = afterSuccess(broker.outlierState, now(), outlier);
        return;
      }
      broker.outlierState = afterFailure(broker.outlierState, now());
      if (!isOut(broker) && shouldEject(broker.outlierState, outlier)) eject(broker);
      if (outcome === 'reset') return;
      broker.reportCount++;
      const reason = outcome === 'connect_failed' ? 'refused a request' : 'answered 502, 503 or 504';
      if (settle(broker, false, reason)) publish();
      broker.poller?.pollNow();
    },
    cordon(hostAndPort, on) {
      if (cordoned.has(hostAndPort) === on) return;
      if (on) cordoned.add(hostAndPort);
      else cordoned.delete(hostAndPort);
      publish();
    },
    stop() {
      if (emptyGraceTimer !== null) clearTimeout(emptyGraceTimer);
      if (gathering !== null) clearTimeout(gathering);
      for (const broker of brokers.values()) remove(broker);
      slowStart.stop();
    },
  };
}
