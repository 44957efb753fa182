import { Counter, Gauge, type Registry } from 'prom-client';
import { ROLES } from '../discovery/discovery.ts';
import type { BodyLimits } from '../exchange/limits/body-limits.ts';
import type { Concurrency } from '../exchange/limits/concurrency.ts';
import type { Pressure } from '../exchange/limits/overload.ts';
import type { RetryBudget } from '../exchange/limits/retry-budget.ts';
import type { WaitQueue } from '../exchange/limits/wait-queue.ts';

/** State that the exchange shares between requests. */
export interface ExchangeState {
  readonly waitQueue: Pick<WaitQueue, 'waiting' | 'queued'>;
  readonly concurrency: Pick<Concurrency, 'under'>;
  readonly bodies: Pick<BodyLimits, 'used'>;
  readonly retryBudget: Pick<RetryBudget, 'refusals'>;
  readonly pressure: Pick<Pressure, 'high'>;
}

/** Registers the metrics of waiting requests and of limits; all are read when scraped. */
export function exchangeMetrics(registry: Registry, state: ExchangeState): void {
  const registers = [registry];
  const { waitQueue, concurrency, bodies, retryBudget, pressure } = state;
  const perRole = (name: string, help: string, value: (role: (typeof ROLES)[number]) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['role'],
      registers,
      collect() {
        for (const role of ROLES) this.set({ role }, value(role));
      },
    });
  };
  perRole('druid_gateway_running_requests', 'Requests that count against the limits now.', (role) =>
    concurrency.under(role),
  );
  perRole(
    'druid_gateway_parked_requests',
    'Requests that wait for a leader or a Broker now.',
    (role) => waitQueue.waiting(role) - waitQueue.queued(role),
  );
  perRole('druid_gateway_queued_requests', 'Requests that wait for room within the limits now.', (role) =>
    waitQueue.queued(role),
  );
  new Gauge({
    name: 'druid_gateway_body_bytes',
    help: 'Bytes of request bodies that are kept in memory now.',
    registers,
    collect() {
      this.set(bodies.used);
    },
  });
  new Counter({
    name: 'druid_gateway_retries_refused_total',
    help: 'Times a request was not sent again because the budget for that was used up.',
    registers,
    collect() {
      this.reset();
      this.inc(retryBudget.refusals);
    },
  });
  new Gauge({
    name: 'druid_gateway_overloaded',
    help: '1 while the event loop is too late and new requests are refused.',
    registers,
    aggregator: 'max',
    collect() {
      this.set(pressure.high ? 1 : 0);
    },
  });
}

/** Registers the number of requests being answered now. */
export function inFlightMetric(registry: Registry, inFlight: () => number): void {
  new Gauge({
    name: 'druid_gateway_requests_in_flight',
    help: 'Requests being answered right now, waiting ones included.',
    registers: [registry],
    collect() {
      this.set(inFlight());
    },
  });
}
