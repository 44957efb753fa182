import { EventEmitter } from 'node:events';
import type { FastifyInstance } from 'fastify';
import { createAdmin } from '../../src/admin/admin.ts';
import type { History } from '../../src/admin/history/history.ts';
import type { Term } from '../../src/admin/history/term.ts';
import type { BrokerView } from '../../src/cluster/view.ts';
import { loadWithOrigins } from '../../src/config/load.ts';
import type { MasterRole } from '../../src/discovery/discovery.ts';
import type { ExchangeRecord } from '../../src/exchange/ports/record.ts';
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts';
import type { WorkerStatus } from '../../src/workers/worker-status.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { exchange, FakeCluster, FakeDiscovery, node, serving } from '../unit/admin/fakes.ts';

export interface SceneOptions {
  readonly brokers?: number;
  readonly token?: string;
  readonly workers?: readonly WorkerStatus[];
}

/** An admin listener whose cluster, record of leadership and traffic are what the test says. */
export class Scene {
  readonly cluster = new FakeCluster();
  readonly discovery = new FakeDiscovery();
  readonly errors = recordErrors();
  /** Cordons that were asked for: `a:8082 true`. */
  readonly actions: string[] = [];
  readonly #terms: Term[] = [];
  readonly #told = new EventEmitter<{ term: [Term] }>();
  readonly #metrics: Metrics;
  readonly #app: FastifyInstance;
  url = '';

  constructor({ brokers = 3, token, workers }: SceneOptions = {}) {
    const { cluster, discovery, errors } = this;
    this.#metrics = createMetrics({ cluster, discovery, errors, version: '1.2.3' });
    const now = Date.now();
    cluster.show({ complete: true, readAt: now, brokers: brokersOf(brokers) });
    cluster.lead(serving('coordinator', node('coordinator-1:8081', 4), 12, now - 7_000_000));
    cluster.lead(serving('overlord', node('overlord-1:8090', 2), 31, now - 7_000_000));
    cluster.cordon = (name, cordoned) => {
      this.actions.push(`${name} ${cordoned}`);
      this.cordon(name, cordoned);
    };
    const { settings } = loadWithOrigins({
      flags: { listen: '0.0.0.0:8888' },
      environment: { DRUID_GATEWAY__PARKING__MAX_WAIT: '90s' },
    });
    const history: Pick<History, 'body' | 'onTerm'> = {
      body: { since: new Date(now).toISOString(), terms: this.#terms },
      onTerm: (listener) => {
        this.#told.on('term', listener);
        return () => this.#told.off('term', listener);
      },
    };
    this.#app = createAdmin({
      cluster,
      discovery,
      errors,
      metrics: this.#metrics,
      sampleTraffic: () => this.#metrics.sampleTraffic(),
      history,
      settings: () => settings,
      ...(workers === undefined ? {} : { workers: () => workers }),
      ...(token === undefined ? {} : { token }),
      draining: () => false,
      version: '1.2.3',
      config: {},
    });
  }

  async listen(port = 0): Promise<this> {
    const url = await this.#app.listen({ host: '127.0.0.1', port });
    this.url = url;
    return this;
  }

  async close(): Promise<void> {
    await this.#app.close();
    this.#metrics.close();
  }

  /** Has the Brokers change as `change` says. */
  showBrokers(change: (broker: BrokerView, i: number) => BrokerView): void {
    this.cluster.show({ brokers: this.cluster.view.brokers.map(change) });
  }

  cordon(name: string, cordoned: boolean): void {
    const names = new Set(this.cluster.view.cordoned);
    if (cordoned) names.add(name);
    else names.delete(name);
    const brokers = this.cluster.view.brokers.map((broker) =>
      broker.node.hostAndPort === name
        ? { ...broker, cordoned, ready: !cordoned, why: cordoned ? 'an operator took it out' : 'ready' }
        : broker,
    );
    this.cluster.show({ brokers, cordoned: names });
  }

  /** Another node leads from now on. */
  swap(role: MasterRole, hostAndPort: string, term: number): void {
    this.cluster.lead(serving(role, node(hostAndPort), term, Date.now()));
  }

  addTerm(term: Partial<Term> & Pick<Term, 'role' | 'node' | 'from'>): void {
    const whole: Term = {
      term: null,
      to: null,
      gapMs: null,
      waited: 0,
      failed: 0,
      knownBy: 'both',
      ...term,
    };
    this.#terms.push(whole);
    this.#told.emit('term', whole);
  }

  /** Counts requests that waited for a term, which the listeners are not told. */
  count(waited: number): void {
    const last = this.#terms.pop();
    if (last !== undefined) this.#terms.push({ ...last, waited });
  }

  /** Counts attempts at a Broker: so many that were answered after so long, and so many that failed. */
  attempts(broker: number, answered: number, latencyMs: number, failed = 0): void {
    const traffic = this.cluster.view.brokers[broker]?.node.traffic;
    for (let i = 0; i < answered; i++) traffic?.answered(latencyMs, false, performance.now());
    for (let i = 0; i < failed; i++) traffic?.unanswered(performance.now());
  }

  record(count: number, change: Partial<ExchangeRecord> = {}): void {
    for (let i = 0; i < count; i++) this.#metrics.record(exchange(change));
  }
}

function brokersOf(count: number): BrokerView[] {
  return Array.from({ length: count }, (_, i) => ({
    node: node(`broker-${String(i + 1).padStart(count > 9 ? 4 : 1, '0')}:8082`, i % 7),
    service: i % 3 === 2 ? 'druid/broker-hot' : 'druid/broker',
    ready: true,
    cordoned: false,
    ejected: false,
    why: 'ready',
  }));
}
