import type { RouteClass } from '../../routing/route.ts';
import { forTimer } from '../../time/timer.ts';
import type { UpstreamRequest } from '../ports/upstream.ts';

/** What a class of requests has of its own, in milliseconds; 0 is no limit. */
export interface ClassTimeouts {
  readonly responseTimeout?: number;
  readonly idleTimeout?: number;
  readonly totalTimeout?: number;
}

export interface TimeLimitOptions {
  /** Added to a query's own timeout before the gateway calls it overdue. */
  readonly timeoutSlackMs: number;
  /** For a whole exchange with a node, from the request sent to the answer's end; 0 is no limit. */
  readonly totalTimeoutMs: number;
  /** What differs for a class; the usual limits hold for what is not there. */
  readonly timeoutsByClass: Readonly<Partial<Record<RouteClass, ClassTimeouts>>>;
}

/**
 * How long the first byte, and every further one, may take, where that is not as usual: what the query says itself,
 * else what its class has. Druid ends a query when it says, and the gateway a little later.
 */
export function upstreamTimeouts(
  routeClass: RouteClass,
  ownMs: number | null,
  { timeoutSlackMs, timeoutsByClass }: TimeLimitOptions,
): Pick<UpstreamRequest, 'responseTimeoutMs' | 'idleTimeoutMs'> {
  const limits = timeoutsByClass[routeClass];
  const idle = limits?.idleTimeout;
  if (ownMs !== null) {
    const responseTimeoutMs = forTimer(ownMs + timeoutSlackMs);
    // A query that may take longer may also be silent for longer.
    if (idle === undefined) return { responseTimeoutMs };
    return { responseTimeoutMs, idleTimeoutMs: idle === 0 ? 0 : Math.max(idle, responseTimeoutMs) };
  }
  if (limits === undefined) return {};
  return {
    ...(limits.responseTimeout === undefined ? {} : { responseTimeoutMs: limits.responseTimeout }),
    ...(idle === undefined ? {} : { idleTimeoutMs: idle }),
  };
}

/** What is usual, in milliseconds; 0 is for ever. */
export interface UpstreamTimeouts {
  /** Time from the request to the answer's whole head, whatever comes before that. */
  readonly responseTimeoutMs: number;
  /** Time between two bytes of the answer's body. */
  readonly idleTimeoutMs: number;
}

/** How long a node may be quiet, in milliseconds: until its answer's head, or (`headed`) behind it; 0 is for ever. */
export function quietLimit(
  own: UpstreamRequest,
  { responseTimeoutMs, idleTimeoutMs }: UpstreamTimeouts,
  headed: boolean,
): number {
  if (!headed) return own.responseTimeoutMs ?? responseTimeoutMs;
  if (own.idleTimeoutMs !== undefined) return own.idleTimeoutMs;
  return idleTimeoutMs === 0 ? 0 : Math.max(idleTimeoutMs, own.responseTimeoutMs ?? 0);
}

/** The limit of the whole exchange, never below what the query says itself, but what a timer can hold; 0 is none. */
export function totalLimit(
  routeClass: RouteClass,
  ownMs: number | null,
  { timeoutSlackMs, totalTimeoutMs, timeoutsByClass }: TimeLimitOptions,
): number {
  const limit = timeoutsByClass[routeClass]?.totalTimeout ?? totalTimeoutMs;
  return limit === 0 || ownMs === null ? limit : forTimer(Math.max(limit, ownMs + timeoutSlackMs));
}
