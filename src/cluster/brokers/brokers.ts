import type { Announcement } from '../../discovery/discovery.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { createGate } from '../../time/gate.ts';
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

/**
 * With more Brokers than this, probe results are published together every `GATHER_MS`: each publish visits every
 * Broker.
 */
const FEW = 100;
const GATHER_MS = 100;
/**
 * Brokers that are asked at once. Thousands of answers in one turn take longer than a probe may on a busy machine, so none would
 * be in time, and all would be asked again at the same moment.
 */
const MOST_ASKED = 512;
/** The probe interval of a Broker that is not ready, unless `probeIntervalMs` is shorter. */
const NOT_READY_INTERVAL_MS = 500;

export interface BrokerHealth {
  readonly probeIntervalMs: number;
  readonly outlier: OutlierLimits;
  /** Largest share of a service's ready Brokers that may be ejected at once. */
  readonly maxEjectedShare: number;
  /** Milliseconds of slow start, in which a new or returning Broker gets less than its full share. */
  readonly slowStartMs: number;
  /** Milliseconds for which the known Brokers are kept after discovery reports none. */
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
  /** Receives errors of the gateway's own code. */
  readonly errors: InternalErrors;
}

interface Broker {
  readonly node: UpstreamNode;
  readonly readiness: Readiness;
  service: string;
  ready: boolean;
  why: string;
  poller: Poller | null;
  /** Counts reported failures other than resets. A probe that began before the latest one proves nothing. */
  reportCount: number;
  outlierState: OutlierState;
  /** When a request to it last succeeded. */
  okAt: number;
  /** Ends the ejection; null while the Broker is not ejected. */
  ejectionTimer: NodeJS.Timeout | null;
  /** The Broker was among the first that discovery announced after the start, so it counts as warm. */
  presentAtStart: boolean;
}

/** Decides which announced Brokers get queries: those that report ready and whose requests succeed. */
export interface Brokers {
  readonly views: readonly BrokerView[];
  readonly pools: ReadonlyMap<string, readonly UpstreamNode[]>;
  announce(announcements: readonly Announcement[]): void;
  report(node: UpstreamNode, outcome: NodeOutcome): void;
  readonly cordoned: ReadonlySet<string>;
  /**
   * Takes the Broker at `hostAndPort` out of its pool, or puts it back. The cordon outlasts an absence from
   * discovery.
   */
  cordon(hostAndPort: string, cordoned: boolean): void;
  stop(): void;
}

/** Creates the set without Brokers; `announce` adds them. Call `stop` to end their probes and timers. */
export function createBrokers(options: BrokersOptions): Brokers {
  const { probe, health, random, now, nodeAt, onChange, onEjection, errors } = options;
  const { outlier, maxEjectedShare } = health;
  const brokers = new Map<UpstreamNode, Broker>();
  const cordoned = new Set<string>();
  const onError = (error: unknown): void => errors.report('probe', error);
  const inTurn = createGate(MOST_ASKED);
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

  /** Starts slow start for new members of the pools. A Broker without active peers takes its full share at once. */
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

  /** Stores the readiness and its reason. Returns whether either changed. */
  function settle(broker: Broker, ready: boolean, reason: string): boolean {
    if (broker.ready === ready && broker.why === reason) return false;
    broker.ready = ready;
    broker.why = reason;
    return true;
  }

  /** Whether a ready Broker's requests have succeeded within the interval of probes. */
  function serves({ ready, okAt }: Broker): boolean {
    return ready && now() - okAt < health.probeIntervalMs;
  }

  /** A Broker that serves is asked as late as one whose last probe was its last good request. */
  function intervalOf(broker: Broker): number {
    if (!broker.ready) return Math.min(health.probeIntervalMs, NOT_READY_INTERVAL_MS);
    if (!serves(broker)) return health.probeIntervalMs;
    return Math.max(health.probeIntervalMs / 2, broker.okAt + health.probeIntervalMs - now());
  }

  async function ask(broker: Broker): Promise<void> {
    const { node, reportCount } = broker;
    // It may be gone by its turn.
    if (brokers.get(node) !== broker) return;
    const { ready, why: reason } = await broker.readiness.ask(serves(broker));
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
      okAt: Number.NEGATIVE_INFINITY,
      ejectionTimer: null,
      presentAtStart: first,
    };
    brokers.set(node, broker);
    broker.poller = createPoller({
      ask: () => inTurn(() => ask(broker)),
      interval: () => intervalOf(broker),
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
      // An empty list is usually a fault of ZooKeeper or of a client that writes to it. Keep the known Brokers for
      // `emptyGraceMs`; Brokers that are gone fail their probes anyway.
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
        broker.okAt = now();
        broker.outlierState = afterSuccess(broker.outlierState, broker.okAt, outlier);
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
