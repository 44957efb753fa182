import type { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import { type BodyBounds, createBodyLimits } from '../exchange/limits/body-limits.ts';
import { createCancelLimits } from '../exchange/limits/cancel-limits.ts';
import { type ConcurrencyLimits, createConcurrency } from '../exchange/limits/concurrency.ts';
import { createRetryBudget } from '../exchange/limits/retry-budget.ts';
import { createWaitQueue, type WaitBounds } from '../exchange/limits/wait-queue.ts';
import type { ExchangeServices } from '../exchange/ports/services.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { perRole } from './per-role.ts';

/** What all requests of a process count against, whichever configuration they began with. */
export interface SharedLimits
  extends Pick<ExchangeServices, 'waitQueue' | 'concurrency' | 'bodies' | 'cancelLimits' | 'retryBudget'> {
  /** Changes the limits to those configured. The counts stay as they are. Never throws. */
  set(config: Config): void;
}

export interface SharedLimitsServices {
  readonly cluster: Cluster;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** The exchange's clock, in milliseconds. */
  readonly now: () => number;
}

/** Creates the limits as configured. */
export function createSharedLimits(config: Config, services: SharedLimitsServices): SharedLimits {
  const waitQueue = createWaitQueue({ ...waitBounds(config), ...services });
  const concurrency = createConcurrency(concurrencyLimits(config), (role) => waitQueue.capacityFreed(role));
  const bodies = createBodyLimits({ ...bodyBounds(config), ...services });
  const cancelLimits = createCancelLimits(config.queries.maxCancels);
  const retryBudget = createRetryBudget(config.retries);
  return {
    waitQueue,
    concurrency,
    bodies,
    cancelLimits,
    retryBudget,
    set(changed) {
      waitQueue.setBounds(waitBounds(changed));
      concurrency.setLimits(concurrencyLimits(changed));
      bodies.setLimits(bodyBounds(changed));
      cancelLimits.setLimit(changed.queries.maxCancels);
      retryBudget.setLimits(changed.retries);
    },
  };
}

function waitBounds({ parking, limits }: Config): WaitBounds {
  return {
    maxRequests: parking.maxRequests,
    maxBytes: parking.maxBytes,
    byRole: perRole((role) => parking[role]),
    maxQueued: limits.queue.maxRequests,
  };
}

function concurrencyLimits({ limits }: Config): ConcurrencyLimits {
  const { total, perClient, largeShare, coordinator, overlord, broker } = limits.concurrency;
  return { total, roles: { coordinator, overlord, broker }, perClient, largeShare };
}

function bodyBounds({ limits }: Config): BodyBounds {
  return {
    maxBytes: limits.bodyMemory,
    maxWaitMs: limits.queue.maxWait,
    idleTimeoutMs: limits.bodyIdleTimeout,
    minRate: limits.minBodyRate,
  };
}
