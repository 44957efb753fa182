import { Counter, Gauge, type Registry } from 'prom-client';
import type { Discovery, SourceState } from '../discovery/discovery.ts';

/** Session figures of a ZooKeeper discovery, beyond the contract of every discovery. */
export interface SessionStats {
  /** Sessions and connections started since the first one. */
  readonly reconnects: number;
  /** Number of watched paths. */
  readonly watches: number;
}

export interface SessionObserved {
  readonly sessionStats: SessionStats | undefined;
}

const SOURCE_STATES: readonly SourceState[] = ['connecting', 'connected', 'suspended', 'lost', 'closed'];

interface Options {
  readonly registry: Registry;
  readonly discovery: Discovery | (Discovery & SessionObserved);
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Registers the metrics of discovery. Returns a function that removes the listeners. */
export function discoveryMetrics({ registry, discovery, now }: Options): () => void {
  const registers = [registry];
  const started = now();
  oneHot(registers, 'druid_gateway_discovery_state', '1 for the state that discovery is in.', discovery);
  new Gauge({
    name: 'druid_gateway_discovery_age_seconds',
    help: 'Since discovery was last read from its source; before the first read, since the gateway started.',
    registers,
    collect() {
      const { readAt } = discovery.snapshot;
      this.set(Math.max(0, now() - (readAt === 0 ? started : readAt)) / 1000);
    },
  });
  const faults = new Counter({
    name: 'druid_gateway_discovery_faults_total',
    help: 'Oddities that did not stop discovery, such as an announcement that cannot be read.',
    registers,
  });
  const onFault = (): void => faults.inc();
  discovery.on('fault', onFault);
  if (discovery.kind === 'zookeeper') sessionMetrics(registers, discovery);
  return () => {
    discovery.off('fault', onFault);
  };
}

function sessionMetrics(registers: Registry[], discovery: Options['discovery']): void {
  oneHot(
    registers,
    'druid_gateway_zookeeper_session_state',
    '1 for the state that the ZooKeeper session is in.',
    discovery,
  );
  const stats = (): SessionStats | undefined =>
    'sessionStats' in discovery ? discovery.sessionStats : undefined;
  if (stats() === undefined) return;
  new Counter({
    name: 'druid_gateway_zookeeper_reconnects_total',
    help: 'Connections to ZooKeeper made again after the first.',
    registers,
    collect() {
      this.reset();
      this.inc(stats()?.reconnects ?? 0);
    },
  });
  new Gauge({
    name: 'druid_gateway_zookeeper_watches',
    help: 'ZooKeeper paths under watch.',
    registers,
    collect() {
      this.set(stats()?.watches ?? 0);
    },
  });
}

function oneHot(registers: Registry[], name: string, help: string, discovery: Discovery): void {
  new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of SOURCE_STATES) this.set({ state }, state === discovery.status.state ? 1 : 0);
    },
  });
}
