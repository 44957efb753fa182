import type { NodeOutcome } from '../../cluster/node.ts';
import type { Role } from '../../discovery/discovery.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import type { RouteClass } from '../../routing/route.ts';
import type { UpstreamFailure } from '../ports/upstream.ts';

/** Classes that may reach Druid twice. They change nothing, or a repeat changes nothing more. */
const REPEATABLE: ReadonlySet<RouteClass> = new Set(['read', 'query', 'stream']);

/** Most repeats of a request whose bytes were sent: to a master, and to another Broker. */
const MASTER_REPEATS = 3;
const BROKER_REPEATS = 1;

/** The facts that decide whether a request may be sent again. */
export interface AttemptContext {
  readonly role: Role;
  readonly class: RouteClass;
  /** Whether the body can be sent from its beginning; true without a body. */
  readonly replayable: boolean;
  /** Repeats so far that followed an attempt whose bytes were sent. */
  readonly repeats: number;
}

/** An overloaded leader. `retryAfterMs` is the pause that it asks for; null if it names none. */
export interface Overloaded {
  readonly retryAfterMs: number | null;
}

/**
 * What to do after an attempt. `again`: send to another node, or to the leader once there is one. `counts`: bytes had
 * been sent. `onlyElsewhere`: asking the same node again is useless. `overloaded`: the leader is overloaded and gets
 * a pause. `error` is the answer if no node is found in time.
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

/** Statuses that clients follow to another place. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Statuses that Druid's own clients follow to a leader (`ServiceClientImpl`). */
const LEADERS_MOVE: ReadonlySet<number> = new Set([301, 302, 307]);

/**
 * The verdict on a failed attempt. Without a connection nothing was sent, so a request of any method may go
 * elsewhere.
 */
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
 * The verdict once another leader serves and the client has seen no answer of the former one. Requests that change
 * nothing go to the new leader. Null leaves the request where it is.
 */
export function afterSuccession(attempt: AttemptContext): Again | null {
  if (!mayRepeat(attempt)) return null;
  const error = LEADER_MOVED;
  return { kind: 'again', outcome: null, counts: true, onlyElsewhere: false, overloaded: null, error };
}

/**
 * The verdict when the request has waited long enough for a former leader. That node is not reported, because it no
 * longer leads.
 */
export function afterAbandonment(attempt: AttemptContext): Extract<NotRelayed, { kind: 'fail' }> {
  const error = gatewayError('upstream_timeout', { message: ABANDONED });
  return { kind: 'fail', outcome: null, error: withFate(error, attempt.class) };
}

/** Whether a request may be resent after a reused connection was stale, which says nothing about the node. */
export function mayResend(attempt: AttemptContext): boolean {
  return attempt.replayable && REPEATABLE.has(attempt.class);
}

/** Where an absolute `Location` points. */
export interface RedirectTarget {
  /** Whether it points to a node of the cluster, or to the one that answered. */
  readonly known: boolean;
  /** Whether its path and query are those of the request. */
  readonly sameTarget: boolean;
  /** Whether its host is a name and not an address. */
  readonly named: boolean;
}

/** The parts of an answer's head that decide the verdict. */
export interface ResponseSummary {
  readonly status: number;
  readonly contentType: string | null;
  /** Null without a `Location`, or if it has no scheme and therefore stays within the gateway. */
  readonly location: RedirectTarget | null;
  /** The `Retry-After` in milliseconds; null if there is none or it does not matter. */
  readonly retryAfterMs: number | null;
  /** The answer came from the leader of its role, which was serving as far as known. */
  readonly fromServingLeader: boolean;
}

/**
 * The verdict on an answer's head, before anything has been sent to the client. A master that does not lead redirects
 * by 307 with the target unchanged before it does any work (`RedirectFilter`), so even a write is safe to resend. A
 * master that initialises answers 503, in HTML or without a body. So does a serving master that is overloaded: Druid
 * 39's Coordinator limits the requests under way on all paths but `leader` and `isLeader` (Jetty's `QoSFilter`). A
 * login in front of a master (a proxy, or a filter such as pac4j's) redirects by other codes to its own page, which
 * is for the client. A redirect to an address instead of a name is no such page, and the client must not see it.
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

/**
 * The master is asked again for as long as the request may wait. For a serving leader each repeat counts towards the
 * retry budget. During an election it does not.
 */
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

/** Druid's own errors are JSON, or Smile if the client asked for it. Jetty's are HTML or empty. */
function isDruidBody(contentType: string | null): boolean {
  return contentType !== null && /json|smile/i.test(contentType);
}

/** Adds a warning if Druid may have executed a request that must not be executed twice. */
function withFate(error: GatewayError, routeClass: RouteClass): GatewayError {
  if (REPEATABLE.has(routeClass)) return error;
  return { ...error, message: `${error.message} The request may or may not have been executed.` };
}
