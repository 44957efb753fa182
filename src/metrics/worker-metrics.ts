import { Counter, Gauge, type Registry } from 'prom-client';
import { EXIT_REASONS, type ExitReason } from '../workers/worker-status.ts';

export interface WorkersObserved {
  /** Workers that answered the last question. */
  readonly answering: number;
  /** Number of replaced workers. */
  readonly restarts: number;
  /** Number of ended workers, by reason. */
  readonly exits: Readonly<Record<ExitReason, number>>;
}

/** Registers the metrics of worker processes; only a gateway with several workers has them. */
export function workerMetrics(registry: Registry, observe: () => WorkersObserved): void {
  const registers = [registry];
  new Gauge({
    name: 'druid_gateway_workers',
    help: 'Worker processes that answered when this was asked.',
    registers,
    collect() {
      this.set(observe().answering);
    },
  });
  new Counter({
    name: 'druid_gateway_worker_restarts_total',
    help: 'Times a worker process ended and another took its place.',
    registers,
    collect() {
      this.reset();
      this.inc(observe().restarts);
    },
  });
  new Counter({
    name: 'druid_gateway_worker_exits_total',
    help: 'Worker processes that ended, by why: fault, killed, stuck, stopped or error.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      const { exits } = observe();
      for (const reason of EXIT_REASONS) this.inc({ reason }, exits[reason]);
    },
  });
}
