import { Counter, type Registry } from 'prom-client';
import { ERROR_PLACES, type InternalErrors } from '../faults/internal-errors.ts';

/** Registers the number of internal errors, by place; read when scraped. */
export function internalErrorMetrics(registry: Registry, { counts }: Pick<InternalErrors, 'counts'>): void {
  new Counter({
    name: 'druid_gateway_internal_errors_total',
    help: 'Errors of the gateway itself, by what was ended for them; any is a bug worth a report.',
    labelNames: ['place'],
    registers: [registry],
    collect() {
      this.reset();
      for (const place of ERROR_PLACES) this.inc({ place }, counts[place]);
    },
  });
}
