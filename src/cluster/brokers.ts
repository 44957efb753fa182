import type { Announcement } from '../discovery/discovery.ts';
import type { NodeOutcome, UpstreamNode } from './node.ts';
import { createPoller, type Poller } from './poller.ts';
import type { Probe } from './probe.ts';
import type { BrokerView } from './view.ts';

const READINESS = '/druid/broker/v1/readiness';
/** Since Druid 37; it turns 503 before a Broker stops, where `readiness` stays 200. */
const STATUS_READY = '/status/ready';
/** A Broker that does not have `/status/ready` is asked for it again this often, since it may be upgraded. */
const ASK_AGAIN_MS = 60_000;
/** While it is not ready it is asked more often than while it is. */
const NOT_READY_INTERVAL_MS = 500;

export interface BrokersOptions {
  readonly probe: Probe;
  readonly intervalMs: number;
  readonly random: () => number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly nodeAt: (origin: string) => UpstreamNode;
  readonly onChange: () => void;
}

interface Broker {
  readonly node: UpstreamNode;
  service: string;
  ready: boolean;
  why: string;
  poller: Poller | null;
  /** Before this time `/status/ready` need not be asked: the Broker does not have it. */
  askStatusAt: number;
  /** Counts reports: a probe that was under way when a request failed proves nothing. */
  doubts: number;
}

/** Which announced Brokers get queries: those that say they are ready and did not just fail a request. */
export interface Brokers {
  readonly views: readonly BrokerView[];
  readonly pools: ReadonlyMap<string, readonly UpstreamNode[]>;
  announce(announcements: readonly Announcement[]): void;
  report(node: UpstreamNode, outcome: NodeOutcome): void;
  stop(): void;
}

export function createBrokers(options: BrokersOptions): Brokers {
  const { probe, intervalMs, random, now, nodeAt, onChange } = options;
  const brokers = new Map<UpstreamNode, Broker>();
  let views: readonly BrokerView[] = [];
  let pools: ReadonlyMap<string, readonly UpstreamNode[]> = new Map();

  function publish(): void {
    const byService = new Map<string, UpstreamNode[]>();
    views = [...brokers.values()].map(({ node, service, ready, why }) => {
      if (ready) {
        const pool = byService.get(service);
        if (pool === undefined) byService.set(service, [node]);
        else pool.push(node);
      }
      return { node, service, ready, why };
    });
    pools = byService;
    onChange();
  }

  function settle(broker: Broker, ready: boolean, why: string): void {
    if (broker.ready === ready && broker.why === why) return;
    broker.ready = ready;
    broker.why = why;
    publish();
  }

  async function ask(broker: Broker): Promise<void> {
    const { node, doubts } = broker;
    const readiness = await probe(node.origin, READINESS);
    let ready = readiness.kind === 'answer' && readiness.status === 200;
    let why = ready ? 'announced and ready' : `readiness: ${said(readiness)}`;
    if (ready && now() >= broker.askStatusAt) {
      const status = await probe(node.origin, STATUS_READY);
      if (
        status.kind === 'answer' &&
        (status.status === 404 || status.status === 401 || status.status === 403)
      ) {
        broker.askStatusAt = now() + ASK_AGAIN_MS;
      } else if (status.kind !== 'answer' || status.status !== 200) {
        ready = false;
        why = `status/ready: ${said(status)}`;
      }
    }
    if (brokers.get(node) !== broker) return;
    if (broker.doubts !== doubts) return broker.poller?.hurry();
    settle(broker, ready, why);
  }

  return {
    get views() {
      return views;
    },
    get pools() {
      return pools;
    },
    announce(announcements) {
      const announced = new Map(announcements.map((a) => [nodeAt(a.origin), a.service]));
      let changed = false;
      for (const [node, broker] of brokers) {
        if (announced.has(node)) continue;
        broker.poller?.stop();
        brokers.delete(node);
        changed = true;
      }
      for (const [node, service] of announced) {
        const existing = brokers.get(node);
        if (existing !== undefined) {
          if (existing.service !== service) changed = true;
          existing.service = service;
          continue;
        }
        const broker: Broker = {
          node,
          service,
          ready: false,
          why: 'announced, not asked yet',
          poller: null,
          askStatusAt: 0,
          doubts: 0,
        };
        brokers.set(node, broker);
        broker.poller = createPoller({
          ask: () => ask(broker),
          interval: () => (broker.ready ? intervalMs : Math.min(intervalMs, NOT_READY_INTERVAL_MS)),
          random,
        });
        changed = true;
      }
      if (changed) publish();
    },
    report(node, outcome) {
      const broker = brokers.get(node);
      if (broker === undefined || (outcome !== 'connect_failed' && outcome !== 'unavailable')) return;
      broker.doubts++;
      settle(broker, false, outcome === 'connect_failed' ? 'refused a request' : 'answered 502, 503 or 504');
      broker.poller?.hurry();
    },
    stop() {
      for (const broker of brokers.values()) broker.poller?.stop();
      brokers.clear();
    },
  };
}

function said(answer: Awaited<ReturnType<Probe>>): string {
  if (answer.kind === 'answer') return `answered ${answer.status}`;
  return answer.kind === 'refused' ? 'connection refused' : 'no answer in time';
}
