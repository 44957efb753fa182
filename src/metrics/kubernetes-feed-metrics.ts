import { Counter, Gauge, type Registry } from 'prom-client';

/** What has become of the feed of EndpointSlices. */
export interface KubernetesFeedObserved {
  readonly up: boolean;
  readonly holder: boolean;
  readonly writes: number;
}

/** Registers the metrics of the feed of EndpointSlices. */
export function kubernetesFeedMetrics(registry: Registry, observed: () => KubernetesFeedObserved): void {
  const registers = [registry];
  new Gauge({
    name: 'druid_gateway_kubernetes_feed_up',
    help: '1 while the Lease of the EndpointSlices could be read when it was last tried and, where this gateway holds it, they are as the view says.',
    registers,
    collect() {
      this.set(observed().up ? 1 : 0);
    },
  });
  new Gauge({
    name: 'druid_gateway_kubernetes_feed_holder',
    help: '1 while this gateway holds the Lease, and so writes the EndpointSlices.',
    registers,
    collect() {
      this.set(observed().holder ? 1 : 0);
    },
  });
  new Counter({
    name: 'druid_gateway_kubernetes_feed_writes_total',
    help: 'EndpointSlices that this gateway has written.',
    registers,
    collect() {
      this.reset();
      this.inc(observed().writes);
    },
  });
}
