import { Counter, Gauge, type Registry } from 'prom-client';
import { type Discovery, readersOf, type SourceState } from '../discovery/discovery.ts';

/** Figures of some sources, beyond the contract of every discovery. */
interface Figures {
  /** Of a session with ZooKeeper: connections made again after the first, and watched paths. */
  readonly sessionStats?: { readonly reconnects: number; readonly watches: number };
  /** Of what is asked without end: how often it began anew after the first time. */
  readonly watchStats?: { readonly restarts: number };
}

const SOURCE_STATES: readonly SourceState[] = ['connecting', 'connected', 'suspended', 'lost', 'closed'];

interface Options {
  readonly registry: Registry;
  readonly discovery: Discovery;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Registers the metrics of discovery. Returns a function that removes the listeners. */
export function discoveryMetrics({ registry, discovery, now }: Options): () => void {
  const registers = [registry];
  const started = now();
  oneHot(
    registers,
    'druid_gateway_discovery_state',
    '1 for the state that discovery is in.',
    () => discovery.status.state,
  );
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
  sessionMetrics(registers, discovery);
  new Counter({
    name: 'druid_gateway_discovery_restarts_total',
    help: 'Watches of the Kubernetes API and blocking queries of Consul that began anew, by source: after a failure, or, in Kubernetes, after some minutes.',
    labelNames: ['source'],
    registers,
    collect() {
      this.reset();
      for (const { kind, watchStats } of readers(discovery)) {
        if (watchStats !== undefined) this.inc({ source: kind }, watchStats.restarts);
      }
    },
  });
  return () => {
    discovery.off('fault', onFault);
  };
}

/** The source may be replaced, so it is asked anew each time. */
function readers(discovery: Discovery): readonly (Discovery & Figures)[] {
  return readersOf(discovery);
}

/** These have values while ZooKeeper is one of the sources. */
function sessionMetrics(registers: Registry[], discovery: Discovery): void {
  const session = (): (Discovery & Figures) | undefined =>
    readers(discovery).find(({ kind }) => kind === 'zookeeper');
  oneHot(
    registers,
    'druid_gateway_zookeeper_session_state',
    '1 for the state that the ZooKeeper session is in.',
    () => session()?.status.state ?? null,
  );
  new Counter({
    name: 'druid_gateway_zookeeper_reconnects_total',
    help: 'Connections to ZooKeeper made again after the first.',
    registers,
    collect() {
      this.remove();
      const { sessionStats } = session() ?? {};
      if (sessionStats !== undefined) this.inc(sessionStats.reconnects);
    },
  });
  new Gauge({
    name: 'druid_gateway_zookeeper_watches',
    help: 'ZooKeeper paths under watch.',
    registers,
    collect() {
      this.remove();
      const { sessionStats } = session() ?? {};
      if (sessionStats !== undefined) this.set(sessionStats.watches);
    },
  });
}

/** Without a value while the state is null. */
function oneHot(registers: Registry[], name: string, help: string, stateOf: () => SourceState | null): void {
  new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers,
    collect() {
      const now = stateOf();
      if (now === null) this.reset();
      else for (const state of SOURCE_STATES) this.set({ state }, state === now ? 1 : 0);
    },
  });
}
