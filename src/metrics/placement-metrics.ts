import { Counter, Gauge, type Registry } from 'prom-client';
import type { ExchangeRecord } from '../exchange/ports/record.ts';
import type { RulesSource } from '../routing/tiers/load-rules-source.ts';

/** Registers the metrics; returns the function to call with each request record. */
export function placementMetrics(
  registry: Registry,
  rules: Pick<RulesSource, 'ageMs'> | null,
): (record: ExchangeRecord) => void {
  const registers = [registry];
  const placed = new Counter({
    name: 'druid_gateway_placed_requests_total',
    help: 'Requests by the Broker service chosen for them, by what it was chosen, and whether the default service had them because nobody of it was there.',
    labelNames: ['service', 'by', 'fallback'],
    registers,
  });
  new Gauge({
    name: 'druid_gateway_load_rules_age_seconds',
    help: 'Since the load rules of the Coordinator were last read; -1 where they have not been.',
    registers,
    // If several processes read the rules, report the oldest.
    aggregator: 'max',
    collect() {
      const age = rules?.ageMs ?? null;
      this.set(age === null ? -1 : age / 1000);
    },
  });
  return ({ placement }) => {
    if (placement === null) return;
    const { service, by, fellBack } = placement;
    placed.inc({ service, by, fallback: String(fellBack) });
  };
}
