import { Counter, Gauge, type Registry } from 'prom-client';

/** What has become of the feed of HAProxy. */
export interface HaproxyObserved {
  readonly up: boolean;
  readonly commands: number;
}

/** Registers the metrics of the feed of HAProxy. */
export function haproxyMetrics(registry: Registry, observed: () => HaproxyObserved): void {
  const registers = [registry];
  new Gauge({
    name: 'druid_gateway_haproxy_feed_up',
    help: '1 while HAProxy is as the view says, or was told to be, when it was last asked.',
    registers,
    collect() {
      this.set(observed().up ? 1 : 0);
    },
  });
  new Counter({
    name: 'druid_gateway_haproxy_feed_commands_total',
    help: 'Commands written to the runtime socket of HAProxy that change something.',
    registers,
    collect() {
      this.reset();
      this.inc(observed().commands);
    },
  });
}
