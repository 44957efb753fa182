import { Gauge, type Registry } from 'prom-client';

/** What came of changes of the configuration. Times are in epoch milliseconds. */
export interface ReloadsObserved {
  /** Whether the last attempt was taken up everywhere; true before the first. */
  readonly successful: boolean;
  /** When the configuration in use was last read: at the start, or by the last successful attempt. */
  readonly succeededAt: number;
  /** When the certificates in use end, by file. */
  readonly certificates: ReadonlyMap<string, number>;
}

/** Registers the metrics of the configuration and of certificates; all are read when scraped. */
export function reloadMetrics(registry: Registry, reloads: ReloadsObserved): void {
  const registers = [registry];
  new Gauge({
    name: 'druid_gateway_config_last_reload_successful',
    help: '1 unless the last attempt to take up a changed configuration was refused.',
    registers,
    collect() {
      this.set(reloads.successful ? 1 : 0);
    },
  });
  new Gauge({
    name: 'druid_gateway_config_last_reload_success_timestamp_seconds',
    help: 'When the configuration was last read with success, in Unix time.',
    registers,
    collect() {
      this.set(reloads.succeededAt / 1000);
    },
  });
  new Gauge({
    name: 'druid_gateway_certificate_expiry_timestamp_seconds',
    help: 'When the first of the certificates in a file in use ends, in Unix time.',
    labelNames: ['file'],
    registers,
    collect() {
      this.reset();
      for (const [file, end] of reloads.certificates) this.set({ file }, end / 1000);
    },
  });
}
