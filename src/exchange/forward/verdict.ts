import type { NodeOutcome } from '../../cluster/node.ts';
import type { Role } from '../../discovery/discovery.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import type { RouteClass } from '../../routing/route.ts';
import type { UpstreamFailure } from '../ports/upstream.ts';

/** Classes that may reach Druid twice: they change nothing, or a second time changes nothing more. */
const REPEATABLE: ReadonlySet<RouteClass> = new Set(['read', 'query', 'stream']);

/** A request whose bytes went out is sent to a master again at most this often, to another Broker once. */
const MASTER_REPEATS = 3;
const BROKER_REPEATS = 1;

/** What decides whether a request may be sent again. */
export interface AttemptContext {
  readonly role: Role;
  readonly class: RouteClass;
  /** The body, if there is one, can be sent from its beginning. */
  readonly replayable: boolean;
  /** How often it was sent again so far after bytes had gone out. */
  readonly repeats: number;
}

/** A leader that has too much to do; milliseconds for which it wants to be left alone, where it says so. */
export interface Overloaded {
  readonly retryAfterMs: number | null;
}

/**
 * What to do after an attempt. `again`: elsewhere, or at the leader once there is one; `counts` says that bytes
 * had gone out, `onlyElsewhere` that asking the same node again is of no use, `overloaded` that the leader has too much to
 * do and is left alone for a while. `error` is the answer when there is nowhere to go in time.
 */
export type Verdict =
  | { readonly kind: 'relay'; readonly outcome: NodeOutcome }
  | {
      readonly kind: 'again';
      readonly outcome: NodeOutcome | null;
      readonly counts: boolean;
      readonly onlyElsewhere: boolean;
      readonly overloaded: Overloaded | null;
      readonly error: GatewayError;
    }
  | { readonly kind: 'fail'; readonly outcome: NodeOutcome | null; readonly error: GatewayError };

const LEADER_UNREACHABLE = gatewayError('leader_unreachable');
const NO_BROKER = gatewayError('no_ready_broker', {
  message: 'No Broker can be reached at the moment; try again.',
});
const LEADER_MOVED = gatewayError('leader_moved');
const LEADER_INITIALISING = gatewayError('leader_initialising', {
  message: 'The leader of this role is not ready yet; try again.',
});
const LEADER_OVERLOADED = gatewayError('leader_overloaded');
const BROKER_UNAVAILABLE = gatewayError('broker_unavailable');
const ABANDONED = 'The node that the request was sent to leads no more, and has not answered.';
const REDIRECT_UNKNOWN = gatewayError('redirect_unknown');

export type NotRelayed = Exclude<Verdict, { kind: 'relay' }>;
export type Again = Extract<Verdict, { kind: 'again' }>;

/** What clients follow to another place. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Those that Druid's own clients follow to a leader (`ServiceClientImpl`). */
const LEADERS_MOVE: ReadonlySet<number> = new Set([301, 302, 307]);

/** A failed attempt. Without a connection no request can have been sent, so any method may go elsewhere. */
export function afterFailure(failure: UpstreamFailure, attempt: AttemptContext): NotRelayed {
  const master = attempt.role !== 'broker';
  switch (failure.kind) {
    case 'connect':
      return {
        kind: 'again',
        outcome: 'connect_failed',
        counts: false,
        onlyElsewhere: false,
        overloaded: null,
        error: master ? LEADER_UNREACHABLE : NO_BROKER,
      };
    case 'reset': {
      const error = withFate(gatewayError('upstream_reset'), attempt.class);
      if (failure.answered || !mayRepeat(attempt)) return { kind: 'fail', outcome: 'reset', error };
      return { kind: 'again', outcome: 'reset', counts: true, onlyElsewhere: false, overloaded: null, error };
    }
    case 'stale':
      return { kind: 'fail', outcome: null, error: withFate(gatewayError('upstream_reset'), attempt.class) };
    case 'no_answer':
    case 'stalled':
      return {
        kind: 'fail',
        outcome: null,
        error: withFate(gatewayError('upstream_timeout'), attempt.class),
      };
    case 'malformed':
      return {
        kind: 'fail',
        outcome: 'reset',
        error: withFate(gatewayError('upstream_malformed'), attempt.class),
      };
    case 'unsendable':
      return { kind: 'fail', outcome: null, error: gatewayError('target_malformed') };
  }
}

/**
 * Another leader serves while the request is at a former one, of whose answer the client has seen nothing: what changes
 * nothing goes to the new one. Null for what stays where it is.
 */
export function afterSuccession(attempt: AttemptContext): Again | null {
  if (!mayRepeat(attempt)) return null;
  const error = LEADER_MOVED;
  return { kind: 'again', outcome: null, counts: true, onlyElsewhere: false, overloaded: null, error };
}

/** It has waited long enough for a former leader. That one is not to be told on: it leads no more. */
export function afterAbandonment(attempt: AttemptContext): Extract<NotRelayed, { kind: 'fail' }> {
  const error = gatewayError('upstream_timeout', { message: ABANDONED });
  return { kind: 'fail', outcome: null, error: withFate(error, attempt.class) };
}

/** Whether a request may be sent once more where a kept connection proved stale: that says nothing of the node. */
export function mayResend(attempt: AttemptContext): boolean {
  return attempt.replayable && REPEATABLE.has(attempt.class);
}

/** Where an absolute `Location` points. */
export interface RedirectTarget {
  /** A node of the cluster, or the one that answered. */
  readonly known: boolean;
  /** Its path and query are those of the request. */
  readonly sameTarget: boolean;
  /** Its host is a name and no address. */
  readonly named: boolean;
}

/** Of an answer's head, what decides. */
export interface ResponseSummary {
  readonly status: number;
  readonly contentType: string | null;
  /** Null without a `Location`, or with one that has no scheme and so stays within the gateway. */
  readonly location: RedirectTarget | null;
  /** Milliseconds of its `Retry-After`, where that matters. */
  readonly retryAfterMs: number | null;
  /** It came from the leader of its role, which has said that it serves, and has not been found not to. */
  readonly fromServingLeader: boolean;
}

/**
 * An answer's head, before anything of it has been sent on. A master that does not lead redirects by 307 with the
 * target as it came (`RedirectFilter`) before it does anything, so that the request was not processed; one that
 * initialises answers 503 in HTML or without a body. So does one that serves and has too much to do: Druid 39's
 * Coordinator limits what is under way on all but `leader` and `isLeader` (Jetty's `QoSFilter`). A login in front of a
 * master (a proxy, or a filter such as pac4j's) redirects by other codes to a page of its own, which is for the client;
 * an address in the place of a name is no such page, and not for the client to see.
 */
export function afterHead(seen: ResponseSummary, attempt: AttemptContext): Verdict {
  const { status, location } = seen;
  const master = attempt.role !== 'broker';
  if (master && location !== null && REDIRECTS.has(status)) {
    if ((location.sameTarget && LEADERS_MOVE.has(status)) || (location.known && status === 307)) {
      const error = location.known ? LEADER_MOVED : REDIRECT_UNKNOWN;
      if (!attempt.replayable || attempt.repeats >= MASTER_REPEATS) {
        return { kind: 'fail', outcome: 'not_leader', error };
      }
      return {
        kind: 'again',
        outcome: 'not_leader',
        counts: true,
        onlyElsewhere: false,
        overloaded: null,
        error,
      };
    }
    if (!location.known && (status === 307 || !location.named)) {
      return { kind: 'fail', outcome: 'ok', error: REDIRECT_UNKNOWN };
    }
  }
  if ((status !== 502 && status !== 503 && status !== 504) || isDruidBody(seen.contentType)) {
    return { kind: 'relay', outcome: 'ok' };
  }
  return master ? afterUnavailableMaster(seen, attempt) : afterUnavailableBroker(attempt);
}

/** It is asked again for as long as the request may wait. That is counted where it serves, and so is no election. */
function afterUnavailableMaster(seen: ResponseSummary, attempt: AttemptContext): Verdict {
  const { fromServingLeader: counts, retryAfterMs } = seen;
  const error = counts ? LEADER_OVERLOADED : LEADER_INITIALISING;
  if (!mayResend(attempt)) return { kind: 'fail', outcome: 'unavailable', error };
  const overloaded = counts ? { retryAfterMs } : null;
  return { kind: 'again', outcome: 'unavailable', counts, onlyElsewhere: false, overloaded, error };
}

function afterUnavailableBroker(attempt: AttemptContext): Verdict {
  const error = BROKER_UNAVAILABLE;
  if (!mayRepeat(attempt)) return { kind: 'fail', outcome: 'unavailable', error };
  return {
    kind: 'again',
    outcome: 'unavailable',
    counts: true,
    onlyElsewhere: true,
    overloaded: null,
    error,
  };
}

function mayRepeat(attempt: AttemptContext): boolean {
  const limit = attempt.role === 'broker' ? BROKER_REPEATS : MASTER_REPEATS;
  return mayResend(attempt) && attempt.repeats < limit;
}

/** Druid's own errors are JSON, or Smile to a client that asked for it; Jetty's are HTML or empty. */
function isDruidBody(contentType: string | null): boolean {
  return contentType !== null && /json|smile/i.test(contentType);
}

/** Says so where Druid may have executed a request that is not to be executed twice. */
function withFate(error: GatewayError, routeClass: RouteClass): GatewayError {
  if (REPEATABLE.has(routeClass)) return error;
  return { ...error, message: `${error.message} The request may or may not have been executed.` };
}
