import type { RouteClass } from '../../routing/route.ts';
import { forTimer } from '../../time/timer.ts';
import type { UpstreamRequest } from '../ports/upstream.ts';

/** The time limits of one class of requests, in milliseconds; 0 is no limit. */
export interface ClassTimeouts {
  readonly responseTimeout?: number;
  readonly idleTimeout?: number;
  readonly totalTimeout?: number;
}

export interface TimeLimitOptions {
  /** Milliseconds added to a query's own timeout before the gateway considers it overdue. */
  readonly timeoutSlackMs: number;
  /**
   * Milliseconds for a whole exchange with a node, from sending the request to the end of the answer; 0 is no limit.
   */
  readonly totalTimeoutMs: number;
  /** The limits of single classes. A limit that is absent there is the usual one. */
  readonly timeoutsByClass: Readonly<Partial<Record<RouteClass, ClassTimeouts>>>;
}

const NO_LIMITS: Pick<UpstreamRequest, 'responseTimeoutMs' | 'idleTimeoutMs'> = {};

/**
 * The limits of one request where they are not the usual ones, in milliseconds. The query's own timeout (`ownMs`)
 * comes first, then the limits of its class. Druid ends the query at its own timeout, and the gateway a little later.
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
  if (limits === undefined) return NO_LIMITS;
  return {
    ...(limits.responseTimeout === undefined ? {} : { responseTimeoutMs: limits.responseTimeout }),
    ...(idle === undefined ? {} : { idleTimeoutMs: idle }),
  };
}

/** The usual limits in milliseconds; 0 is no limit. */
export interface UpstreamTimeouts {
  /** From the request to the complete final head, whatever comes before it. */
  readonly responseTimeoutMs: number;
  /** Between two bytes of the answer's body. */
  readonly idleTimeoutMs: number;
}

/**
 * How long a node may be silent, in milliseconds: before the answer's head or, with `headed`, after it. 0 is no
 * limit.
 */
export function quietLimit(
  own: UpstreamRequest,
  { responseTimeoutMs, idleTimeoutMs }: UpstreamTimeouts,
  headed: boolean,
): number {
  if (!headed) return own.responseTimeoutMs ?? responseTimeoutMs;
  if (own.idleTimeoutMs !== undefined) return own.idleTimeoutMs;
  return idleTimeoutMs === 0 ? 0 : Math.max(idleTimeoutMs, own.responseTimeoutMs ?? 0);
}

/**
 * The limit of the whole exchange in milliseconds; 0 is no limit. It is never below the query's own timeout, up to
 * what a timer can hold.
 */
export function totalLimit(
  routeClass: RouteClass,
  ownMs: number | null,
  { timeoutSlackMs, totalTimeoutMs, timeoutsByClass }: TimeLimitOptions,
): number {
  const limit = timeoutsByClass[routeClass]?.totalTimeout ?? totalTimeoutMs;
  return limit === 0 || ownMs === null ? limit : forTimer(Math.max(limit, ownMs + timeoutSlackMs));
}
